"""What results about blocklists are kept under."""

from __future__ import annotations

from typing import NamedTuple

from exporter.model.listeners import Family
from exporter.model.posture import split_subject, subject_of


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
