"""
The server's event and metric ids, as the newest release spells them.

Contract: ``names.csv`` beside this module, with one row per id of any release from v0.10 to v0.16: its kind
(``counter``: an event that is counted; ``event``: one that is not; ``gauge``; ``histogram``), its current name if it
was renamed, and whether operators are paged for it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

_Row = tuple[str, str, str, bool]


def _load() -> list[_Row]:
    """Return id, kind, current name and on-call flag of each row."""
    rows = []
    for line in Path(__file__).with_name("names.csv").read_text(encoding="ascii").splitlines()[1:]:
        id_, kind, renamed_to, on_call = line.split(",")
        rows.append((id_, kind, renamed_to or id_, on_call == "yes"))
    return rows


def native_name(id_: str) -> str:
    """Return an id as the server's own Prometheus page spells it."""
    return id_.replace(".", "_").replace("-", "_")


_ROWS = _load()
_EVENTS = {id_: name for id_, kind, name, _ in _ROWS if kind in ("counter", "event")}
_NATIVE = {native_name(id_): (kind, name) for id_, kind, name, _ in _ROWS if kind != "event"}

_UNCOUNTED = frozenset(native_name(id_) for id_, kind, _, _ in _ROWS if kind == "event") - _NATIVE.keys()

COUNTERS = frozenset(name for _, kind, name, _ in _ROWS if kind == "counter")
"""The ids of the events that at least one release counts."""

GAUGES = frozenset(name for _, kind, name, _ in _ROWS if kind == "gauge")

HISTOGRAMS = frozenset(name for _, kind, name, _ in _ROWS if kind == "histogram")

ON_CALL_EVENTS = tuple(name for _, _, name, on_call in _ROWS if on_call)
"""
Counted events whose occurrence, or absence, operators are paged for.

Each can occur on a REST server. The server omits zero counters, so these are exported from zero.
"""

STORED_EVENTS = frozenset(
    [
        "auth.failed",
        "delivery.attempt-start",
        "http.connection-start",
        "imap.connection-start",
        "incoming-report.dmarc-report",
        "incoming-report.dmarc-report-with-warnings",
        "incoming-report.tls-report",
        "incoming-report.tls-report-with-warnings",
        "manage-sieve.connection-start",
        "message-ingest.ham",
        "message-ingest.spam",
        "pop3.connection-start",
        "queue.authenticated-message-queued",
        "queue.dsn-queued",
        "queue.message-queued",
        "queue.report-queued",
        "security.abuse-ban",
        "security.authentication-ban",
        "security.ip-blocked",
        "security.loiter-ban",
        "security.scan-ban",
        "smtp.connection-start",
    ]
)
"""Counted events that the stored metrics contain; they lack all others."""

del _ROWS


def canonical_event(id_: str) -> str | None:
    """Return an event's id as the newest release spells it; ``None`` if no release has it."""
    return _EVENTS.get(id_)


def spellings(ids: Collection[str]) -> frozenset[str]:
    """Return every name that any release has for one of *ids*, including the current names."""
    return frozenset(ids).union(name for name, present in _EVENTS.items() if present in ids)


def native_metric(name: str) -> tuple[str, str] | None:
    """Return the kind (``counter``, ``gauge``, ``histogram``) and id of a name on the server's own Prometheus page."""
    return _NATIVE.get(name)


def is_uncounted_event(name: str) -> bool:
    """Whether a name on the server's own Prometheus page belongs to an event that no release counts."""
    return name in _UNCOUNTED
