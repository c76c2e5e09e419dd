"""
Releases of Stalwart whose defects falsify numbers that are exported, or stop the queue.

Each entry is a statement of the server's own change log about what a release fixed. Where it is not known when a defect
began, only releases of the same generation count. `docs/known-defects.md` says what to do about each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

CHANGES = "https://github.com/stalwartlabs/stalwart/blob/main/CHANGELOG.md"
ISSUES = "https://github.com/stalwartlabs/stalwart/issues"
PAGE = "docs/known-defects.md"

Release = tuple[int, int, int]

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?![\d.])", re.ASCII)


class KnownDefect(NamedTuple):
    """
    One defect.

    Attributes:
        id: The value of the label ``id``, and the heading in `PAGE`.
        since: The first supported release that has it.
        fixed_in: The first release without it.
        effect: What is wrong, in one sentence.
        source: Where the fix is published.
        only_if: The set-up that it takes; empty if every server has the defect. One with a condition is shown by
            ``doctor`` alone, since the exporter cannot see whether the condition holds.
    """

    id: str
    since: Release
    fixed_in: Release
    effect: str
    source: str
    only_if: str = ""

    @property
    def fixed_version(self) -> str:
        """`fixed_in` as text: ``0.16.13``."""
        return ".".join(map(str, self.fixed_in))


KNOWN_DEFECTS: tuple[KnownDefect, ...] = (
    KnownDefect(
        "counter_names",
        (0, 16, 0),
        (0, 16, 12),
        "Event counters are exported under the names of other events; the exporter leaves them out.",
        CHANGES,
    ),
    KnownDefect(
        "queue_resume",
        (0, 11, 0),
        (0, 16, 13),
        "A resumed queue delivers nothing until the next message arrives or a message is retried by hand.",
        CHANGES,
    ),
    KnownDefect(
        "retry_ignored",
        (0, 13, 0),
        (0, 16, 9),
        "Retries, and cancellations of single recipients, are confirmed and not carried out.",
        CHANGES,
    ),
    KnownDefect(
        "retry_expiry",
        (0, 10, 0),
        (0, 13, 0),
        "A manual retry moves the expiry to ten seconds after it: if it is put off, the message is returned.",
        CHANGES,
    ),
    KnownDefect(
        "frozen_gauges",
        (0, 10, 0),
        (0, 13, 4),
        "The server's gauges of memory, accounts and domains keep their first values, and that of the queue drifts.",
        f"{ISSUES}/2155",
    ),
    KnownDefect(
        "histogram_buckets",
        (0, 10, 0),
        (0, 11, 2),
        "Buckets of the server's histograms hold sums of values instead of numbers of observations.",
        f"{ISSUES}/1079",
    ),
    KnownDefect(
        "tls_report_loop",
        (0, 10, 0),
        (0, 12, 4),
        "TLS reports are sent about the delivery of TLS reports, without end.",
        f"{ISSUES}/1301",
    ),
    KnownDefect(
        "queue_locks",
        (0, 16, 0),
        (0, 16, 16),
        "Messages that a node had in hand when it died stay locked and are never delivered.",
        CHANGES,
        only_if="locks are kept in Redis",
    ),
    KnownDefect(
        "queue_refresh",
        (0, 16, 0),
        (0, 16, 12),
        "A change of the queue wakes only the node that received the request.",
        CHANGES,
        only_if="the server is a cluster",
    ),
    KnownDefect(
        "old_queue_events",
        (0, 13, 0),
        (0, 13, 1),
        "Queue events from before the upgrade are processed again and again, which keeps a processor busy.",
        f"{ISSUES}/1833",
        only_if="it was upgraded from v0.12 or older",
    ),
    KnownDefect(
        "trace_list",
        (0, 15, 0),
        (0, 15, 5),
        "The list of traces is empty, so deliveries are not counted from them.",
        CHANGES,
        only_if="traces have a store of their own",
    ),
    KnownDefect(
        "webhook_recipients",
        (0, 10, 0),
        (0, 11, 7),
        "Posted events of single recipients name all recipients of the attempt.",
        f"{ISSUES}/1250",
        only_if="deliveries are counted from a webhook",
    ),
    KnownDefect(
        "webhook_event_ids",
        (0, 10, 0),
        (0, 16, 11),
        "Events of one type within one second have the same id. The exporter does not use the ids.",
        CHANGES,
        only_if="another receiver of webhooks identifies events by their ids",
    ),
)
"""What is known, the most harmful first."""


def release_of(version: str) -> Release | None:
    """Return the release of a version such as ``0.16.11`` or ``v0.16.0-beta``; ``None`` if it is none."""
    found = _VERSION.match(version.strip())
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def defects_of(version: str, *, conditional: bool = False) -> Sequence[KnownDefect]:
    """Return the defects of *version*, none if it is unknown; with *conditional*, also those that take a set-up."""
    release = release_of(version)
    if release is None:
        return ()
    return [
        defect
        for defect in KNOWN_DEFECTS
        if defect.since <= release < defect.fixed_in and (conditional or not defect.only_if)
    ]
