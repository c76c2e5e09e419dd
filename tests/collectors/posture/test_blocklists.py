"""Blocklists as samples."""

from __future__ import annotations

from exporter.collectors.posture.blocklists import BlocklistSource
from exporter.model.outside import Entry
from exporter.model.posture import CheckResult
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import BlocklistEntries, Result
from exporter.state.tally import TallyBook


def test_lists_beyond_the_limit_are_summed_and_zeros_are_shown() -> None:
    """A list that has an address keeps its name."""
    board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)
    entries = {
        Entry("mx.test", "192.0.2.1", "a.test"): Result(CheckResult.GOOD, 5),
        Entry("mx.test", "192.0.2.2", "b.test"): Result(CheckResult.UNKNOWN, None),
        Entry("mx.test", "192.0.2.1", "c.test"): Result(CheckResult.BAD, 7),
        Entry("mx.test", "192.0.2.2", "c.test"): Result(CheckResult.GOOD, 9),
    }
    board.publish(Part.BLOCKLISTS, BlocklistEntries(entries), fresh_seconds=60)

    [(_, counts), (_, changes)] = BlocklistSource(board, max_lists=1).collect()

    assert dict(counts) == {
        ("c.test", "ipv4", "listed"): 1,
        ("c.test", "ipv4", "clean"): 1,
        ("c.test", "ipv4", "unknown"): 0,
        ("other", "ipv4", "listed"): 0,
        ("other", "ipv4", "clean"): 1,
        ("other", "ipv4", "unknown"): 1,
    }
    assert dict(changes) == {("c.test", "ipv4"): 9, ("other", "ipv4"): 5}
    assert board.dropped["stalwart_blocklist_addresses"] == 2
