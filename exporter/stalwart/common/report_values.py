"""Parsing of values in reports for every generation: vocabularies, addresses, names, times."""

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
"""The end of the year 9999 in Unix seconds, the latest time a ``datetime`` can represent."""

UNKNOWN_DOMAIN = "unknown"
"""The domain if a report names none."""

_LONGEST_WORD = 64
_OTHER_SPELLINGS = 32
"""The most unusual spellings cached per vocabulary."""


class Vocabulary(Generic[E]):
    """
    The words of one field, in any spelling: ``no-policy-found``, ``NoPolicyFound`` and ``noPolicyFound``.

    Any other text is ``unknown`` and is counted under *field*; an empty or missing one is ``unspecified`` if the
    vocabulary has that word, else ``unknown``.
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
        """Return the word for *text*; count an unknown one in *unknown*."""
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
    """Return an IP address in canonical form, an IPv4-mapped one as IPv4; empty if it is not an address."""
    if not text:
        return ""
    try:
        if ":" not in text:
            socket.inet_pton(socket.AF_INET, text)  # It accepts only the canonical form.
            return text
        canonical = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return ""
    inner = canonical.removeprefix("::ffff:")
    return inner if "." in inner else canonical


def domain_or_text(text: str | None) -> str:
    """Return a normalised domain name, or else the text itself in lower case."""
    return "" if not text else domain_name(text.strip()) or text.strip().lower()


def required_domain(text: str, path: str) -> str:
    """Return a normalised domain name; raises `PayloadError` if *text* is not one."""
    name = domain_name(text.strip())
    if name is None:
        raise PayloadError(f"{path}: not a domain name")
    return name


def policy_domains(texts: Sequence[str | None], path: str) -> list[str]:
    """
    Return the domains of a TLS report's policies, in order.

    A policy without one gets the domain of the others if they name only one, else `UNKNOWN_DOMAIN`. Raises
    `PayloadError` for an invalid domain name; *path* is a template for the policy's index.
    """
    named = [(text or "").strip() for text in texts]
    domains = [required_domain(text, path.format(number)) if text else "" for number, text in enumerate(named)]
    known = set(filter(None, domains))
    silent = next(iter(known)) if len(known) == 1 else UNKNOWN_DOMAIN
    return [domain or silent for domain in domains]


def reporter_name(organisation: str | None, *addresses: str | None) -> str:
    """
    Return the reporter's organisation name, else the domain of the first usable mail address.

    Line ends and runs of spaces become one space, so that one reporter does not appear as two.
    """
    name = " ".join(organisation.split()) if organisation else ""
    for candidate in addresses:
        if name:
            break
        name = domain_or_text((candidate or "").rpartition("@")[2].rstrip("> "))
    return name or "unknown"


@lru_cache(maxsize=256)
def moment(seconds: int) -> datetime:
    """Convert Unix seconds within 1970-9999; cached, since reports begin and end with the day."""
    return datetime.fromtimestamp(seconds, UTC)


def utc(stamp: datetime, path: str) -> datetime:
    """Return the whole second of an aware time in UTC; raises `PayloadError` outside 1970-9999."""
    try:
        seconds = stamp.timestamp()
    except (OverflowError, ValueError) as error:
        raise PayloadError(f"{path}: not a valid time") from error
    if not 0 <= seconds <= LAST_SECOND:
        raise PayloadError(f"{path}: not a time between 1970 and 9999")
    return datetime.fromtimestamp(int(seconds), UTC)
