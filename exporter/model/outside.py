"""What others see of a mail server: certificates of listeners, its addresses on blocklists, a message's round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


class TripStage(StrEnum):
    """The stages of a round trip, in their order."""

    LOGIN = "login"
    """The mailbox is opened."""

    SUBMIT = "submit"
    """A login to the submission listener, until the message is accepted."""

    VISIBLE = "visible"
    """From there until the message is in the mailbox."""

    DELETE = "delete"


class TripResult(StrEnum):
    """How a round trip ended."""

    ARRIVED = "arrived"
    LEFT = "left"
    """It arrived but could not be deleted."""

    MISSING = "missing"
    """It was accepted but did not arrive in time."""

    DEFERRED = "deferred"
    REJECTED = "rejected"
    REFUSED = "refused"
    """The login."""

    FAILED = "failed"
    """Without a usable reply: connection, TLS, time-out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTripProbe:
    """
    A message from submission to mailbox.

    Attributes:
        stage: The stage that it had come to.
        seconds: Time spent in each stage that was completed.
    """

    stage: TripStage
    result: TripResult
    seconds: Mapping[TripStage, float]

    @property
    def arrived(self) -> bool:
        """Whether the message was in the mailbox."""
        return self.result in (TripResult.ARRIVED, TripResult.LEFT)
