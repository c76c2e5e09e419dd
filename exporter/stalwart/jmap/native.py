"""
The server's own Prometheus page, without the counters that a defective release prints under each other's names.

Contract: Stalwart v0.16, ``GET /metrics/prometheus``; tests/recordings/jmap-0.16.18/native.txt. Before v0.16.12 nearly
every counter stands under another event's name; gauges and histograms are right.
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
"""Counters that no healthy release has, and that few days pass without on another."""


def parse_checked_native_page(body: bytes, names: CounterNames) -> ServerTotals:
    """What the page says, as far as its names can be believed. Raises `PayloadError`."""
    totals = parse_native_page(body)
    if names_are_wrong(_COUNTER.findall(body.decode()), names):
        return replace(totals, counters={}, unknown={}, counters_withheld=WITHHELD)
    return totals


def names_are_wrong(counters: Collection[str], names: CounterNames) -> bool:
    """
    Whether *counters*, by their names on the page, stand under each other's names.

    They tell themselves, too: where the schema tells nothing, any event that is never counted gives it away.
    """
    if names is CounterNames.WRONG or not _TELL_TALE.isdisjoint(counters):
        return True
    return names is CounterNames.UNKNOWN and any(map(is_uncounted_event, counters))
