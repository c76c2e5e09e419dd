"""Basic authentication against bcrypt hashes, at the price of one hash per password and not per request."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping

import bcrypt

COST_LIMIT = 15
"""The highest bcrypt cost that is accepted: a check then takes about two seconds."""

PARALLEL_CHECKS = 1
"""Checks at the same time, so that wrong passwords cannot take every core."""

PASSWORD_BYTES = 72
"""bcrypt reads no further; like other implementations we cut instead of refusing."""

_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")


def hash_problem(hashed: str) -> str | None:
    """Why this cannot serve as a password's hash, or ``None``; never quotes it."""
    match = _HASH.fullmatch(hashed)
    if match is None:
        return "must be a bcrypt hash, such as `htpasswd -nBC 10 NAME` prints after the colon"
    if not 4 <= int(match[1]) <= COST_LIMIT:
        return f"the hash's cost is {int(match[1])}; must be 4 to {COST_LIMIT}, beyond which each check takes seconds"
    return None


class Authenticator:
    """
    Knows who may come in.

    A password that was found good is remembered by a keyed digest, one for each user, and compared in constant time;
    a wrong one is hashed every time. An unknown user costs the check of the costliest known one.
    """

    def __init__(self, users: Mapping[str, bytes], *, check: Callable[[bytes, bytes], bool] | None = None) -> None:
        """*check* takes a password and a hash, on a thread; bcrypt's by default."""
        self._check = check or check_password
        self._users = dict(users)
        self._stand_in = max(self._users.values(), key=lambda hashed: hashed.split(b"$")[2])
        self._digest_key = os.urandom(32)
        self._proven: dict[str, bytes] = {}
        self._checks = asyncio.Semaphore(PARALLEL_CHECKS)

    async def allows(self, authorization: bytes | None) -> bool:
        """Whether the value of an ``Authorization`` header opens the door."""
        credentials = _parse_basic(authorization)
        if credentials is None:
            return False
        name, password = credentials
        digest = hashlib.blake2b(password, key=self._digest_key).digest()
        if self._is_proven(name, digest):
            return True
        async with self._checks:
            if self._is_proven(name, digest):
                return True
            matches = await asyncio.to_thread(self._check, password, self._users.get(name, self._stand_in))
        if not (matches and name in self._users):
            return False
        self._proven[name] = digest
        return True

    def _is_proven(self, name: str, digest: bytes) -> bool:
        return hmac.compare_digest(self._proven.get(name, b""), digest)


def check_password(password: bytes, hashed: bytes) -> bool:
    """Whether the password is the one that was hashed; takes a tenth of a second and more, by design."""
    return bcrypt.checkpw(password[:PASSWORD_BYTES], hashed)


def _parse_basic(authorization: bytes | None) -> tuple[str, bytes] | None:
    """The user's name and password; ``None`` if the header is absent or is something else."""
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
