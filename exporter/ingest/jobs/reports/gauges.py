"""Gauges from sums in the history, with bounded and sanitised labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exporter.model.queue import OTHER_DOMAIN
from exporter.printable import printable
from exporter.state.report_gauges import ReportGauges
from exporter.store.reports.store import ReportHistory

WINDOWS = {1: "1d", 7: "7d", 30: "30d"}
"""The label by number of days."""

WINDOW_FAMILY, HEARD_FAMILY = "stalwart_dmarc_window_messages", "stalwart_dmarc_last_report_timestamp_seconds"

LABEL_LENGTH = 64

_PRIVATE = re.compile(r"@|\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Made:
    """Gauges, and the number of values counted under ``other``, by family."""

    gauges: ReportGauges
    dropped: Mapping[str, int]


async def make_gauges(history: ReportHistory, *, now: datetime, most: int) -> Made:
    """Query the history; the *most* busiest domains and reporters get labels of their own. Raises `StoreError`."""
    windows = await history.dmarc_windows(now, tuple(WINDOWS))
    longest = windows[max(WINDOWS)]
    named = set(sorted(longest, key=lambda domain: (-sum(longest[domain]), domain))[:most])
    messages: dict[tuple[str, ...], int] = {}
    for days, sums in windows.items():
        # A domain without reports in a shorter window has zero messages there.
        for domain in longest:
            aligned, failed = sums.get(domain, (0, 0))
            shown = domain if domain in named else OTHER_DOMAIN
            for result, count in (("aligned", aligned), ("failed", failed)):
                key = (shown, WINDOWS[days], result)
                messages[key] = messages.get(key, 0) + count
    heard: dict[tuple[str, ...], int] = {}
    unnamed = 0
    for of_domain, reporter, at, pairs in await history.last_heard(most=most):
        pair = (of_domain or OTHER_DOMAIN, reporter_label(reporter))
        heard[pair] = max(heard.get(pair, 0), at)
        unnamed += pairs if of_domain is None or reporter is None else 0
    gauges = ReportGauges(window_messages=messages, last_heard=heard)
    return Made(gauges, {WINDOW_FAMILY: len(longest) - len(named), HEARD_FAMILY: unnamed})


def reporter_label(name: str | None) -> str:
    """
    Return a reporter's name as a label, printable and short.

    A name that contains an email address or an IP address becomes ``other``: neither belongs in a label.
    """
    if name is None or _PRIVATE.search(name):
        return OTHER_DOMAIN
    return " ".join(printable(name[: 4 * LABEL_LENGTH], " ").split())[:LABEL_LENGTH].strip() or OTHER_DOMAIN
