"""The senders of the history that are unusual now, with their numbers; the daemon counts them by the same rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model.senders import (
    DAY_HOURS,
    FLOORS,
    Finding,
    Past,
    UnusualReason,
    allowed_in_day,
    allowed_in_hour,
    destinations_of_day,
    findings_of,
)
from exporter.store.trail.senders.queries import BUSY_DAYS, BUSY_HOURS, load_past, servers_of

HOURLY_FLOORS = tuple(
    FLOORS[reason]
    for reason in (UnusualReason.VOLUME, UnusualReason.ODD_HOURS, UnusualReason.FAILURES, UnusualReason.REJECTS)
)
"""The parameters of `BUSY_HOURS`; few destinations may be unusual at an odd hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusualSender:
    """A sender with at least one finding, the largest of each reason."""

    server: str
    sender: str
    findings: Sequence[Finding]


def findings_now(past: Past, hour: int) -> Sequence[Finding]:
    """Return what is unusual in the Unix hour *hour*, in the one before, or in the last day; one finding per reason."""
    found: dict[UnusualReason, Finding] = {}
    for one in (hour - 1, hour):
        if one in past:
            for finding in findings_of(past[one], allowed_in_hour(past, one)):
                if finding.reason not in found or finding.seen > found[finding.reason].seen:
                    found[finding.reason] = finding
    seen, allowed = destinations_of_day(past, hour), allowed_in_day(past, hour)
    if seen > allowed:
        found[UnusualReason.DAY] = Finding(UnusualReason.DAY, seen, allowed)
    return [found[reason] for reason in UnusualReason if reason in found]


def unusual_senders(connection: sqlite3.Connection, *, server: str | None, hour: int) -> Sequence[UnusualSender]:
    """Return the senders that are unusual in the current Unix hour *hour*, by server and name."""
    found = []
    for name in servers_of(connection) if server is None else (server,):
        rows = connection.execute(BUSY_HOURS, (name, hour - 1, *HOURLY_FLOORS)).fetchall()
        rows += connection.execute(BUSY_DAYS, (name, hour - DAY_HOURS, hour, FLOORS[UnusualReason.DAY])).fetchall()
        for sender in sorted({row["sender"] for row in rows}):
            findings = findings_now(load_past(connection, name, sender, hour), hour)
            if findings:
                found.append(UnusualSender(server=name, sender=sender, findings=findings))
    return found
