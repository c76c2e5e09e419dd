"""Values inside reports, read alike from every generation: words of a vocabulary, addresses, names, moments."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Generic, TypeVar

from exporter.domains import domain_name
from exporter.errors import PayloadError

E = TypeVar("E", bound=StrEnum)

LAST_SECOND = 253_402_300_799
"""The end of the year 9999 in Unix seconds; nothing later has a date."""

UNKNOWN_DOMAIN = "unknown"
"""Stands for a domain that a report does not name."""

_LONGEST_WORD = 64
_OTHER_SPELLINGS = 32
"""How many spellings beside the usual ones are remembered for each vocabulary."""


class Vocabulary(Generic[E]):
    """
    The words of one field, known in every spelling: ``no-policy-found``, ``NoPolicyFound`` and ``noPolicyFound``.

    What is none of them reads as ``unknown`` and is counted under *field*; nothing at all reads as ``unspecified``
    where there is such a word.
    """

    def __init__(self, field: str, words: type[E], aliases: Mapping[str, E] | None = None) -> None:
        self._field = field
        self._unknown = words("unknown")
        self._absent = next((word for word in words if word == "unspecified"), self._unknown)
        self._known = {_squashed(word): word for word in words} | dict(aliases or {})
        for word in words:
            camel = word.replace("_", " ").replace("-", " ").title().replace(" ", "")
            self._known |= {word: word, camel: word}
        self._most_known = len(self._known) + _OTHER_SPELLINGS

    def read(self, text: str | None, unknown: dict[str, int]) -> E:
        """The word that *text* stands for."""
        if not text:
            return self._absent
        word = self._known.get(text)
        if word is not None:
            return word
        word = self._known.get(_squashed(text[:_LONGEST_WORD]))
        if word is None:
            unknown[self._field] = unknown.get(self._field, 0) + 1
            return self._unknown
        if len(self._known) < self._most_known:
            self._known[text[:_LONGEST_WORD]] = word
        return word


def _squashed(text: str) -> str:
    return "".join(c for c in text if c.isalnum()).lower()


def address(text: str | None) -> str:
    """An IP address in its canonical spelling, an IPv4 one inside of an IPv6 one by itself; empty if it is none."""
    if not text:
        return ""
    try:
        if ":" not in text:
            socket.inet_pton(socket.AF_INET, text)  # which knows the canonical spelling only
            return text
        canonical = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return ""
    inner = canonical.removeprefix("::ffff:")
    return inner if "." in inner else canonical


def domain_or_text(text: str | None) -> str:
    """A domain name as it is stored, or whatever stands in its place."""
    return "" if not text else domain_name(text.strip()) or text.strip().lower()


def required_domain(text: str, path: str) -> str:
    """A domain name; raises `PayloadError` if it is none."""
    name = domain_name(text.strip())
    if name is None:
        raise PayloadError(f"{path}: not a domain name")
    return name


def policy_domains(texts: Sequence[str | None], path: str) -> list[str]:
    """
    The domains of a TLS report's policies, in their order.

    A policy that names none is about the only domain that the others name, or else about `UNKNOWN_DOMAIN`. Raises
    `PayloadError` for what is no domain name; *path* takes the policy's number.
    """
    named = [(text or "").strip() for text in texts]
    domains = [required_domain(text, path.format(number)) if text else "" for number, text in enumerate(named)]
    known = set(filter(None, domains))
    silent = next(iter(known)) if len(known) == 1 else UNKNOWN_DOMAIN
    return [domain or silent for domain in domains]


def reporter_name(organisation: str | None, *addresses: str | None) -> str:
    """
    Who reports: the organisation as it names itself, else the domain of the first mail address.

    Line ends and runs of blanks become one blank, so that one reporter is not two.
    """
    name = " ".join(organisation.split()) if organisation else ""
    for candidate in addresses:
        if name:
            break
        name = domain_or_text((candidate or "").rpartition("@")[2].rstrip("> "))
    return name or "unknown"


@lru_cache(maxsize=256)
def moment(seconds: int) -> datetime:
    """A Unix time within 1970-9999; remembered, since reports begin and end with the day."""
    return datetime.fromtimestamp(seconds, UTC)


def utc(stamp: datetime, path: str) -> datetime:
    """An aware moment in UTC; raises `PayloadError` where it falls outside of 1970-9999."""
    try:
        seconds = stamp.timestamp()
    except (OverflowError, ValueError) as error:
        raise PayloadError(f"{path}: not a valid time") from error
    if not 0 <= seconds <= LAST_SECOND:
        raise PayloadError(f"{path}: not a time between 1970 and 9999")
    return datetime.fromtimestamp(int(seconds), UTC)
