"""Basic authentication against bcrypt hashes, with one hash computation per password instead of one per request."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

COST_LIMIT = 15
"""The highest accepted bcrypt cost; a check then takes about two seconds."""

PARALLEL_CHECKS = 1
"""Concurrent checks, so that wrong passwords cannot occupy every core."""

WAITING_CHECKS = 16
"""Logins that are checked or queued; further ones are rejected until one is finished."""

WAITING_CHECKS_OF_ADDRESS = 8
"""The same per client address."""

REMEMBERED_FAILURES = 256
"""Wrong logins that are cached, such as those of a scraper with an old password."""

PASSWORD_BYTES = 72
"""bcrypt ignores further bytes; like other implementations, we truncate instead of rejecting."""

_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")

Login = tuple[str, bytes]
"""A user name and the keyed digest of a password."""


def hash_problem(hashed: str) -> str | None:
    """Return why *hashed* is not a usable password hash, or ``None``; never quotes it."""
    match = _HASH.fullmatch(hashed)
    if match is None:
        return "must be a bcrypt hash, such as `htpasswd -nBC 10 NAME` prints after the colon"
    if not 4 <= int(match[1]) <= COST_LIMIT:
        return f"the hash's cost is {int(match[1])}; must be 4 to {COST_LIMIT}, beyond which each check takes seconds"
    return None


class TooManyLogins(Exception):
    """Too many unknown logins are waiting to be checked, so this one is rejected unchecked."""


class Authenticator:
    """
    Checks the credentials of requests.

    Passwords are hashed one at a time in a separate thread, which leaves the event loop and other threads free. The
    latest correct password of each user and the latest wrong logins are cached as keyed digests and compared in
    constant time, so that an established scraper never waits for the logins of others. An unknown user takes as long as
    the known user with the highest cost.
    """

    def __init__(self, users: Mapping[str, bytes], *, check: Callable[[bytes, bytes], bool] | None = None) -> None:
        """*check* compares a password with a hash in the thread; bcrypt by default."""
        self._check = check or check_password
        self._digest_key = os.urandom(32)
        self._proven: dict[str, bytes] = {}
        self._wrong: dict[Login, None] = {}
        self._under_way: dict[Login, asyncio.Event] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = asyncio.Semaphore(PARALLEL_CHECKS)
        self._thread = ThreadPoolExecutor(PARALLEL_CHECKS, thread_name_prefix="passwords")
        self._users: dict[str, bytes] = {}
        self.use(users)

    def use(self, users: Mapping[str, bytes]) -> None:
        """Replace the users; a cached password stays valid if its user's hash is unchanged."""
        self._proven = {n: digest for n, digest in self._proven.items() if users.get(n) == self._users[n]}
        self._wrong.clear()
        self._users = dict(users)
        self._stand_in = max(self._users.values(), key=lambda hashed: hashed.split(b"$")[2])

    async def allows(self, authorization: bytes | None, *, address: str = "") -> bool:
        """
        Return whether an ``Authorization`` header from *address* grants access.

        Raises `TooManyLogins` for an unknown login that cannot be checked soon.
        """
        credentials = _parse_basic(authorization)
        if credentials is None:
            return False
        name, password = credentials
        login = name, hashlib.blake2b(password, key=self._digest_key).digest()
        while (known := self._verdict(login)) is None:
            same = self._under_way.get(login)
            if same is not None:
                await same.wait()
            else:
                await self._look_into(login, password, address)
        return known

    def _verdict(self, login: Login) -> bool | None:
        """Return the cached result for a login; ``None`` if there is none."""
        name, digest = login
        if hmac.compare_digest(self._proven.get(name, b""), digest):
            return True
        return False if login in self._wrong else None

    async def _look_into(self, login: Login, password: bytes, address: str) -> None:
        """Check a login and cache the result."""
        if self._waiting.total() >= WAITING_CHECKS or self._waiting[address] >= WAITING_CHECKS_OF_ADDRESS:
            raise TooManyLogins
        done = self._under_way[login] = asyncio.Event()
        self._waiting[address] += 1
        try:
            async with self._turn:
                hashed = self._users.get(login[0], self._stand_in)
                loop = asyncio.get_running_loop()
                matches = await loop.run_in_executor(self._thread, self._check, password, hashed)
            self._remember(login, hashed, matches=matches)
        finally:
            self._waiting[address] -= 1
            self._waiting += Counter()  # drops addresses at zero
            del self._under_way[login]
            done.set()

    def _remember(self, login: Login, hashed: bytes, *, matches: bool) -> None:
        name, digest = login
        if hashed != self._users.get(name, self._stand_in):
            return  # the users were replaced in the meantime
        if matches and name in self._users:
            self._proven[name] = digest
            return
        self._wrong[login] = None
        if len(self._wrong) > REMEMBERED_FAILURES:
            del self._wrong[next(iter(self._wrong))]


def login_name(authorization: bytes | None) -> str:
    """Return the user name in an ``Authorization`` header; empty if there is none."""
    credentials = _parse_basic(authorization)
    return "" if credentials is None else credentials[0]


def check_password(password: bytes, hashed: bytes) -> bool:
    """Return whether *password* matches *hashed*; takes 0.1 s and more, by design."""
    return bcrypt.checkpw(password[:PASSWORD_BYTES], hashed)


def _parse_basic(authorization: bytes | None) -> tuple[str, bytes] | None:
    """Return user name and password; ``None`` if the header is missing or is not a valid Basic header."""
    if authorization is None:
        return None
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode("utf-8"), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None
