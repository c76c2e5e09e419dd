"""The latest results of the checks of one server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.model.outside import Entry, Listener
from exporter.model.posture import Check, CheckResult


class Result(NamedTuple):
    """A result, and when it last changed between good and bad (or was first seen), in Unix seconds."""

    result: CheckResult
    changed_at: int | None


@dataclass(frozen=True, slots=True)
class Posture:
    """
    The results of one server.

    Attributes:
        results: By domain, or host name, and check.
    """

    results: Mapping[tuple[str, Check], Result]


@dataclass(frozen=True, slots=True)
class BlocklistEntries:
    """
    What blocklists say about the addresses of one server.

    Attributes:
        results: By address and list; good if the address is not listed.
    """

    results: Mapping[Entry, Result]


@dataclass(frozen=True, slots=True)
class ServedCertificates:
    """
    What the listeners of one server show.

    Attributes:
        results: By listener and check.
        ends: When the certificate of each listener expires, in Unix seconds; absent if it shows none.
    """

    results: Mapping[tuple[Listener, Check], CheckResult]
    ends: Mapping[Listener, float]
