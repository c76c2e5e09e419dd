"""What is unusual about a sender, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exporter.history.texts import number
from exporter.model.senders import HOUR_SECONDS, Finding, UnusualReason

WORDS = {
    UnusualReason.VOLUME: "messages within an hour",
    UnusualReason.DESTINATIONS: "different addresses outside its domain within an hour",
    UnusualReason.DAY: "different addresses outside its domain within 24 hours",
    UnusualReason.FAILURES: "permanent failures within an hour",
    UnusualReason.REJECTS: "refusals within an hour",
    UnusualReason.ODD_HOURS: "different addresses at a time of day at which it never sends",
}


def hour_at(moment: datetime) -> int:
    """Return the Unix hour of *moment*."""
    return int(moment.timestamp()) // HOUR_SECONDS


def finding_words(findings: Sequence[Finding]) -> list[str]:
    """Return each finding as a text: what was seen, and what is usual."""
    return [f"{number(one.seen)} {WORDS[one.reason]} (usual up to {number(one.allowed)})" for one in findings]
