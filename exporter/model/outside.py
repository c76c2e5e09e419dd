"""What others see of a mail server: listeners that show a certificate, and its addresses on blocklists."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from exporter.model.posture import split_subject, subject_of


class Protocol(StrEnum):
    """How a connection begins: in plain text until STARTTLS, or with TLS."""

    SMTP = "smtp"
    SMTPS = "smtps"
    IMAP = "imap"
    IMAPS = "imaps"
    POP3 = "pop3"
    POP3S = "pop3s"
    SIEVE = "sieve"
    HTTPS = "https"


class Family(StrEnum):
    """The family of an address."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


WELL_KNOWN = {
    25: Protocol.SMTP,
    110: Protocol.POP3,
    143: Protocol.IMAP,
    443: Protocol.HTTPS,
    465: Protocol.SMTPS,
    587: Protocol.SMTP,
    993: Protocol.IMAPS,
    995: Protocol.POP3S,
    4190: Protocol.SIEVE,
}
"""The protocols of well-known ports."""


class Port(NamedTuple):
    """A port and what is spoken there."""

    number: int
    protocol: Protocol

    def __str__(self) -> str:
        """Return the port as `parse_port` accepts it."""
        return str(self.number) if WELL_KNOWN.get(self.number) is self.protocol else f"{self.protocol}:{self.number}"


def parse_port(text: str) -> Port:
    """Parse ``465``, or ``smtps:2465`` for a port that is not well known. Raises ValueError."""
    name, colon, digits = text.strip().rpartition(":")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
        raise ValueError("an entry is not a port from 1 to 65535")
    number = int(digits)
    if not colon:
        if number not in WELL_KNOWN:
            raise ValueError(f"port {number} needs a protocol, such as smtps:{number}")
        return Port(number, WELL_KNOWN[number])
    try:
        return Port(number, Protocol(name))
    except ValueError:
        raise ValueError(f"the protocol of an entry is not one of {', '.join(Protocol)}") from None


DEFAULT_PORTS = tuple(Port(number, WELL_KNOWN[number]) for number in (25, 465, 587, 993, 995, 443, 4190))
"""Where a server listens in its usual configurations."""


class Listener(NamedTuple):
    """One listener of a host, over one family of addresses."""

    host: str
    port: Port
    family: Family

    @property
    def subject(self) -> str:
        """What its checks are kept under, such as ``mx.example.org|465/ipv6``."""
        return subject_of(self.host, f"{self.port.number}/{self.family}")


class Entry(NamedTuple):
    """One address on one list, which is named by its zone, such as ``zen.spamhaus.org``."""

    owner: str
    address: str
    zone: str

    @property
    def subject(self) -> str:
        """What the result is kept under, such as ``mx.example.org|192.0.2.25@zen.spamhaus.org``."""
        return subject_of(self.owner, f"{self.address}@{self.zone}")

    @property
    def family(self) -> Family:
        """The family of the address."""
        return Family.IPV6 if ":" in self.address else Family.IPV4


def entry_of(subject: str) -> Entry:
    """Return the entry that *subject* is about."""
    owner, part = split_subject(subject)
    address, _, zone = part.partition("@")
    return Entry(owner, address, zone)
