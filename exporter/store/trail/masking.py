"""
The masking of addresses before they are stored.

``full`` stores an address as it is, in lower case; ``domain`` only its domain, as ``@example.org``; ``hashed`` a keyed
hash of the whole address before the domain, as ``~3k2j5h7g4d6s2a4q@example.org``, by which an exact address can still
be found. Masking a masked value changes nothing.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from exporter.domains import domain_of
from exporter.model.trail_event import NULL_SENDER
from exporter.store.store import Store
from exporter.store.trail.schema import NAME_LIMIT

_DIGEST_BYTES = 10
_MASKED = re.compile(r"~[a-z2-7]{16}")
_ADDRESS = re.compile(r"[^\s<>\"'(),:;\[\]\\@]{1,64}@[^\s<>\"'(),:;\\@]{1,255}")
_REMEMBERED = 4096


class Addresses(StrEnum):
    """How much of an address is stored; the values of the setting ``trail.addresses``."""

    FULL = "full"
    HASHED = "hashed"
    DOMAIN = "domain"


class AddressMask:
    """The masking of one history; *secret* is its own key."""

    def __init__(self, addresses: Addresses, secret: bytes) -> None:
        self._addresses = addresses
        self._secret = secret
        self.address = lru_cache(_REMEMBERED)(self._address)

    def account(self, name: str) -> str:
        """Return the stored form of an account's name; with ``domain``, empty if the name has none."""
        name = name[:NAME_LIMIT].lower()
        if self._addresses is Addresses.FULL or not name or name.isdigit():
            return name
        if "@" in name:
            return self.address(name)
        if self._addresses is Addresses.DOMAIN:
            return ""
        return name if _MASKED.fullmatch(name) else self._hash(name)

    def text(self, text: str) -> str:
        """Return a text with every address in it masked."""
        if self._addresses is Addresses.FULL or "@" not in text:
            return text
        return _ADDRESS.sub(lambda found: self._address(found[0]), text)

    def searched(self, address: str) -> Sequence[str]:
        """Return the forms in which an exact *address* may be stored: the setting may have changed in between."""
        address = address.lower()
        return (address[:NAME_LIMIT], f"{self._hash(address)}@{_domain_part(address)}"[:NAME_LIMIT])

    def searched_account(self, account: str) -> Sequence[str]:
        """Return the forms in which an *account* may be stored."""
        account = account.lower()
        return self.searched(account) if "@" in account else (account, self._hash(account))

    def _address(self, address: str) -> str:
        address = address[:NAME_LIMIT].lower()
        if self._addresses is Addresses.FULL or not address or address == NULL_SENDER:
            return address
        local, _, _ = address.rpartition("@")
        if not local and address.startswith("@"):
            return address
        domain = _domain_part(address)
        if self._addresses is Addresses.DOMAIN:
            return f"@{domain}"
        return address if _MASKED.fullmatch(local) else f"{self._hash(address)}@{domain}"

    def _hash(self, text: str) -> str:
        digest = blake2b(text.encode("utf-8", "replace"), key=self._secret, digest_size=_DIGEST_BYTES).digest()
        return "~" + b32encode(digest).decode("ascii").lower()


async def load_secret(store: Store) -> bytes:
    """Return the key of the history's hashes; raises `StoreError`."""
    rows = await store.read("SELECT secret FROM trail_key")
    return bytes(next(iter(rows))[0])


def _domain_part(address: str) -> str:
    """Return the domain of an address for its masked form; empty if it is not a domain name."""
    return domain_of(address)
