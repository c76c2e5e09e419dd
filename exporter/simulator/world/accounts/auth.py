"""Authentication over HTTP: credentials, rate limits, and the ban after repeated failures."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from exporter.simulator.world.accounts.directory import Account, Directory
from exporter.simulator.world.profile import Profile

MINUTE_SECONDS = 60
DAY_SECONDS = 86_400

Refusal = Literal["unauthorized", "challenged", "rate-limited", "banned"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    The content of an `Authorization` header.

    Attributes:
        scheme: `api-key` is a key of the REST generation, `jmap-key` one of the JMAP generation, whose `secret` is the
            whole token; `other` covers unknown schemes, access tokens and undecodable values, which never count as
            failures.
    """

    scheme: Literal["none", "basic", "api-key", "jmap-key", "other"]
    name: str = ""
    secret: str = ""


def parse_authorization(header: str | None) -> Credentials:
    """Parse an `Authorization` header; never raises."""
    if not header:
        return Credentials("none")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "basic":
        return _decode("basic", rest)
    if scheme.lower() == "bearer" and rest.startswith("api_"):
        return _decode("api-key", rest.removeprefix("api_"))
    if scheme.lower() == "bearer" and rest.startswith("API_"):
        return Credentials("jmap-key", name="bearer", secret=rest)
    return Credentials("other", name="bearer" if scheme.lower() == "bearer" else "")


def _decode(scheme: Literal["basic", "api-key"], encoded: str) -> Credentials:
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return Credentials("other")
    return Credentials(scheme, name.strip().lower(), secret) if colon else Credentials("other")


class Windows:
    """Counts per key in fixed windows aligned to the clock."""

    def __init__(self, now: Callable[[], float], seconds: int) -> None:
        self._now = now
        self._seconds = seconds
        self._window = -1
        self._counts: Counter[str] = Counter()

    def count(self, key: str) -> int:
        """Increment a key's count; return the count of this window."""
        window = int(self._now() // self._seconds)
        if window != self._window:
            self._window = window
            self._counts.clear()
        self._counts[key] += 1
        return self._counts[key]


class Gate:
    """
    Decides which requests are admitted.

    Attributes:
        banned: Addresses whose connections are closed without a byte, until the ban is lifted.
    """

    def __init__(
        self, profile: Profile, directory: Directory, now: Callable[[], float], report: Callable[[str], None]
    ) -> None:
        self.profile = profile
        self.banned: set[str] = set()
        self._directory = directory
        self._report = report
        self._failures = Windows(now, DAY_SECONDS)
        self._anonymous = Windows(now, MINUTE_SECONDS)
        self._accounts = Windows(now, MINUTE_SECONDS)
        self._cached: set[tuple[str, str, str]] = set()

    def restart(self) -> None:
        """Forget cached logins; bans and failure counts are in the store and stay."""
        self._cached.clear()

    def is_exempt(self, ip: str) -> bool:
        """Return whether an address is neither limited nor banned: loopback, unless the profile says otherwise."""
        return self.profile.exempt_loopback and ip in ("127.0.0.1", "::1")

    def is_banned(self, ip: str) -> bool:
        """Return whether connections from this address are dropped."""
        return ip in self.banned and not self.is_exempt(ip)

    def lift(self, ip: str) -> None:
        """Lift a ban."""
        self.banned.discard(ip)

    def allows_anonymous(self, ip: str) -> bool:
        """Count an anonymous request against the address's limit per minute; return whether it is allowed."""
        return self.is_exempt(ip) or self._anonymous.count(ip) <= self.profile.anonymous_per_minute

    def allows_account(self, account: Account) -> bool:
        """Count a request against the account's limit per minute; return whether it is allowed."""
        if account.may("unlimited-requests"):
            return True
        return self._accounts.count(str(account.account_id)) <= self.profile.account_per_minute

    def log_in(self, credentials: Credentials, ip: str) -> Account | Refusal:
        """
        Authenticate one `/api` request.

        Raises `auth.success` through the report for every full login; wrong secrets are counted and lead to a ban.
        """
        key = (credentials.scheme, credentials.name, credentials.secret)
        cached = self.profile.caches_logins and key in self._cached
        bearer = credentials.scheme == "api-key" or credentials.name == "bearer"
        if (credentials.scheme == "none" or (bearer and not cached)) and not self.allows_anonymous(ip):
            return "rate-limited"
        if credentials.scheme == "none":
            return "unauthorized"
        if credentials.scheme in ("other", "jmap-key"):
            return "challenged"
        account = self._directory.log_in(credentials.name, credentials.secret)
        if account is None:
            return self.count_failure(credentials.name, ip)
        if not cached:
            self._cached.add(key)
            self._report(account.name)
        return account

    def admit(self, credentials: Credentials, account: Account | None, ip: str, name: str) -> Account | Refusal:
        """
        Admit an account whose secret was right, or count a failure if it is None; for the JMAP generation.

        Repeated successful logins are answered from a cache. Failures are counted by `name`.
        """
        if account is None:
            return self.count_failure(name, ip)
        key = (credentials.scheme, credentials.name, credentials.secret)
        if key not in self._cached:
            self._cached.add(key)
            self._report(account.name)
        return account

    def admit_unreadable(self, credentials: Credentials, ip: str) -> Refusal:
        """Refuse credentials that are not valid in the JMAP generation; counts only the address's requests."""
        if not self.allows_anonymous(ip):
            return "rate-limited"
        return "unauthorized" if credentials.scheme == "none" else "challenged"

    def count_failure(self, name: str, ip: str) -> Refusal:
        """Count a wrong login by address and by name; the one above the limit bans the address."""
        if self.is_exempt(ip):
            return "unauthorized"
        limit = self.profile.ban_after_failures
        if max(self._failures.count(f"ip {ip}"), self._failures.count(f"name {name}")) <= limit:
            return "unauthorized"
        self.banned.add(ip)
        return "banned"
