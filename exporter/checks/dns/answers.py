"""Answers to DNS queries: what was found, what does not exist, and what could not be found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Status(Enum):
    """What an answer says."""

    FOUND = "found"
    NO_DATA = "no_data"
    """The name exists, without records of the type."""
    NO_NAME = "no_name"
    FAILED = "failed"
    """Nothing: no answer, or one that cannot be believed."""


class Mx(NamedTuple):
    """An MX record; an empty *host* is the root, which says that the domain receives no mail."""

    preference: int
    host: str


class Srv(NamedTuple):
    """An SRV record; an empty *target* says that the service is not offered."""

    priority: int
    weight: int
    port: int
    target: str


class Tlsa(NamedTuple):
    """A TLSA record."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """
    The answer to one query.

    Attributes:
        values: In the answer's order; empty unless found. Host names are in lower case without a final dot.
        name: The name that has the records, after aliases.
        authenticated: The resolver has validated the answer with DNSSEC, and is trusted.
        why: Why the query failed, printable; otherwise empty.
    """

    status: Status
    values: Sequence[T] = ()
    name: str = ""
    authenticated: bool = False
    why: str = ""

    @property
    def failed(self) -> bool:
        """Whether nothing is known."""
        return self.status is Status.FAILED

    @property
    def absent(self) -> bool:
        """Whether there certainly are no such records."""
        return self.status in (Status.NO_DATA, Status.NO_NAME)


def failed(why: str) -> Answer[T]:
    """Return an answer that says nothing."""
    return Answer(status=Status.FAILED, why=why)
