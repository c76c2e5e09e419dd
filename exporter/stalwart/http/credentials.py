"""Credentials, and the headers that carry them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

API_KEY_PREFIX = "api_"


@dataclass(frozen=True, slots=True, repr=False)
class Basic:
    """
    A name and a password: an account, or up to v0.15 an API key.

    Raises ``ValueError`` if the name is blank or has a colon, or if the password is empty.
    """

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
        """Return the value of the header ``Authorization``. It is secret."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    def account_name(self) -> str | None:
        """Return the name as the server's log spells it."""
        return self.username.strip().lower()

    def secrets(self) -> tuple[str, ...]:
        """Return everything that no text may contain."""
        return (self.authorization().removeprefix("Basic "), self.password)


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """
    A token: an API key or an OAuth access token. Raises ``ValueError`` unless it is visible ASCII.

    Up to v0.15 an API key's token is ``api_`` and the base64 of ``name:secret``. It is sent as Basic, which is the same
    login: from v0.13.2 on, each Bearer request counts against the server's limit of 100 anonymous requests per minute.
    """

    token: str

    def __post_init__(self) -> None:
        if not self.token or not all("!" <= character <= "~" for character in self.token):
            raise ValueError("a token is needed, of visible ASCII characters")

    def __repr__(self) -> str:
        return "***"

    def authorization(self) -> str:
        """Return the value of the header ``Authorization``. It is secret."""
        key = self._as_basic()
        return key.authorization() if key is not None else f"Bearer {self.token}"

    def account_name(self) -> str | None:
        """Return the name as the server's log spells it; ``None`` for an OAuth token, which does not contain it."""
        key = self._as_basic()
        return key.account_name() if key is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Return everything that no text may contain."""
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
