"""
What is asked for: a queue id in any spelling, a message id, an address, a domain, an account or a client's address.

Contract: Stalwart v0.10-v0.16. Logs, webhooks and the REST API show a queue id in decimal, the reply to the sender
(``250 2.0.0 Message queued with id 4c40c9d9fe0395a.``, from v0.12.4) in hexadecimal, and the API of v0.16 in base 32.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from exporter.domains import domain_name, domain_of
from exporter.stalwart.common.ids import decode_id

MAX_LENGTH = 1000
"""The most characters that are looked at; RFC 5321 and RFC 5322 allow fewer for each of the kinds."""

_HEX = re.compile(r"(?:0x)?([0-9a-f]{1,16})", re.IGNORECASE)
_DECIMAL_DIGITS = 20
_IDS = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    The readings of what was asked for, which are tried in the order of the attributes.

    Attributes:
        text: As given, without surrounding whitespace.
        queue_ids: The numbers that it may stand for, most likely first.
        address: A mail address, in lower case; ``None`` if it cannot be one.
        message_id: The header ``Message-ID`` without angle brackets; ``None`` if it cannot be one.
        domain: As from `domain_name`; ``None`` if it cannot be one.
        remote_ip: The IP address of a client; ``None`` if it is none.
        account: An account's name without a domain, as up to v0.15; ``None`` if it cannot be one.
    """

    text: str
    queue_ids: Sequence[int] = ()
    address: str | None = None
    message_id: str | None = None
    domain: str | None = None
    remote_ip: str | None = None
    account: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether the text can be none of these."""
        return self == Asked(text=self.text)


def parse_asked(text: str) -> Asked:
    """Return every reading of *text*."""
    text = text.strip()
    inner = text.removeprefix("<").removesuffix(">")
    if not inner or len(text) > MAX_LENGTH or not text.isprintable() or " " in inner:
        return Asked(text=text)
    if "@" in inner:
        local, _, _ = inner.rpartition("@")
        if not local:
            return Asked(text=text, domain=domain_name(inner[1:]))
        return Asked(text=text, address=inner.lower() if domain_of(inner) else None, message_id=inner)
    if text != inner:
        return Asked(text=text, message_id=inner)
    with suppress(ValueError):
        return Asked(text=text, remote_ip=str(ip_address(inner)))
    return Asked(text=text, queue_ids=tuple(_queue_ids(inner)), domain=domain_name(inner), account=inner)


def _queue_ids(text: str) -> Sequence[int]:
    found: list[int] = []
    if text.isascii() and text.isdigit() and len(text) <= _DECIMAL_DIGITS and int(text) < _IDS:
        found.append(int(text))
    if (spelled := _HEX.fullmatch(text)) is not None:
        found.append(int(spelled[1], 16))
    with suppress(ValueError):
        found.append(decode_id(text) if len(text) <= _DECIMAL_DIGITS else 0)
    return [id_ for id_ in dict.fromkeys(found) if id_]
