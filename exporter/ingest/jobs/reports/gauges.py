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

PEERS_FAMILY = "stalwart_report_only_peer_reports"

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
    found = await history.report_only_peers(now)
    peers, unnamed_peers = (None, 0) if found is None else _largest(found, most)
    gauges = ReportGauges(window_messages=messages, last_heard=heard, peers=peers)
    dropped = {WINDOW_FAMILY: len(longest) - len(named), HEARD_FAMILY: unnamed, PEERS_FAMILY: unnamed_peers}
    return Made(gauges, dropped)


def _largest(peers: Mapping[str, int], most: int) -> tuple[dict[tuple[str, ...], int], int]:
    """Return the *most* busiest peers, the others combined, and how many those are."""
    ranked = sorted(peers.items(), key=lambda item: (-item[1], item[0]))
    shown: dict[tuple[str, ...], int] = {(domain,): reports for domain, reports in ranked[:most]}
    if len(ranked) > most:
        shown[OTHER_DOMAIN,] = sum(reports for _, reports in ranked[most:])
    return shown, max(0, len(ranked) - most)


def reporter_label(name: str | None) -> str:
    """
    Return a reporter's name as a label, printable and short.

    A name that contains an email address or an IP address becomes ``other``: neither belongs in a label.
    """
    if name is None or _PRIVATE.search(name):
        return OTHER_DOMAIN
    return " ".join(printable(name[: 4 * LABEL_LENGTH], " ").split())[:LABEL_LENGTH].strip() or OTHER_DOMAIN
