"""Logins, and how they go over the wire."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

API_KEY_PREFIX = "api_"


@dataclass(frozen=True, slots=True, repr=False)
class Basic:
    """A name and a password: an account, or an API key up to v0.15. Raises ``ValueError`` for what cannot be sent."""

    username: str
    password: str

    def __post_init__(self) -> None:
        if not self.username.strip() or ":" in self.username:
            raise ValueError("a user name is needed, and it cannot hold a colon")
        if not self.password:
            raise ValueError("a password is needed")

    def __repr__(self) -> str:
        return "***"

    def authorization(self) -> str:
        """The value of the header ``Authorization``. A secret."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    def account_name(self) -> str | None:
        """The name as the server's log spells it."""
        return self.username.strip().lower()

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen in any text."""
        return (self.authorization().removeprefix("Basic "), self.password)


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """
    A token: an API key or an OAuth access token. Raises ``ValueError`` for what cannot be sent.

    Up to v0.15 an API key's token is ``api_`` and the base64 of ``name:secret``. It is sent as Basic, which is the same
    login: from v0.13.2 on each Bearer request counts against the server's limit of 100 anonymous requests a minute.
    """

    token: str

    def __post_init__(self) -> None:
        if not self.token or not all("!" <= character <= "~" for character in self.token):
            raise ValueError("a token is needed, of visible ASCII characters")

    def __repr__(self) -> str:
        return "***"

    def authorization(self) -> str:
        """The value of the header ``Authorization``. A secret."""
        key = self._as_basic()
        return key.authorization() if key is not None else f"Bearer {self.token}"

    def account_name(self) -> str | None:
        """The name as the server's log spells it, or ``None``: an OAuth token does not tell."""
        key = self._as_basic()
        return key.account_name() if key is not None else None

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen in any text."""
        key = self._as_basic()
        return (self.token, *(key.secrets() if key is not None else ()))

    def _as_basic(self) -> Basic | None:
        if not self.token.startswith(API_KEY_PREFIX):
            return None
        try:
            pair = base64.b64decode(self.token.removeprefix(API_KEY_PREFIX), validate=True).decode()
            name, _, secret = pair.partition(":")
            return Basic(name, secret)
        except (binascii.Error, ValueError):
            return None


Credentials = Basic | Bearer
