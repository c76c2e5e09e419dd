"""
The server's own Prometheus page, without counters if a defective release exports them under wrong names.

Contract: Stalwart v0.16, ``GET /metrics/prometheus``; tests/recordings/jmap-0.16.18/native.txt. Before v0.16.12 nearly
every counter has another event's name; gauges and histograms are correct.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from exporter.model.telemetry import ServerTotals
from exporter.stalwart.common.native_page import parse_native_page
from exporter.stalwart.events.names import is_uncounted_event
from exporter.stalwart.jmap.schema import CounterNames

WITHHELD = (
    "this release (v0.16.0 to v0.16.11) exports its counters under wrong names: those of "
    "its metrics page and live stream are left out until it is upgraded to v0.16.12 or "
    "newer"
)

_COUNTER = re.compile(r"^# TYPE (\w+) counter$", re.MULTILINE)
_TELL_TALE = frozenset({"delivery_connect", "imap_copy", "auth_warning", "network_set_opt_error"})
"""Counters that only a defective release exports, nearly always within a few days."""


def parse_checked_native_page(body: bytes, names: CounterNames) -> ServerTotals:
    """Parse the page; without counters if their names are wrong. Raises `PayloadError`."""
    totals = parse_native_page(body)
    if names_are_wrong(_COUNTER.findall(body.decode()), names):
        return replace(totals, counters={}, unknown={}, counters_withheld=WITHHELD)
    return totals


def names_are_wrong(counters: Collection[str], names: CounterNames) -> bool:
    """
    Whether *counters*, by their names on the page, have wrong names.

    If the schema does not show it, a name of an event that is never counted does.
    """
    if names is CounterNames.WRONG or not _TELL_TALE.isdisjoint(counters):
        return True
    return names is CounterNames.UNKNOWN and any(map(is_uncounted_event, counters))
