"""The families of blocklists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from exporter.collectors.exposition import Collected, Labels
from exporter.collectors.posture import families as f
from exporter.collectors.posture.domains import RANK
from exporter.model.posture import CheckResult
from exporter.model.queue import OTHER_DOMAIN
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import BlocklistEntries

WORDS = {CheckResult.GOOD: "clean", CheckResult.BAD: "listed", CheckResult.UNKNOWN: "unknown"}


class BlocklistSource:
    """
    The number of addresses with each result, zeros included; lists beyond the label limit are summed in ``other``::

        stalwart_blocklist_addresses{server="mx1",list="zen.spamhaus.org",family="ipv4",result="listed"} 1
        stalwart_blocklist_change_timestamp_seconds{server="mx1",list="zen.spamhaus.org",family="ipv4"} 1796000000
    """

    def __init__(self, board: ServerBoard, *, max_lists: int) -> None:
        self._board = board
        self._max_lists = max_lists

    def version(self) -> object:
        return self._board.version(Part.BLOCKLISTS)

    def collect(self) -> Iterator[Collected]:
        held = self._board.held(Part.BLOCKLISTS, BlocklistEntries)
        if held is None:
            return
        named = self._worst_lists(held)
        counts: Counter[Labels] = Counter()
        changes: dict[Labels, float] = {}
        for entry, (result, changed_at) in held.results.items():
            labels = (entry.zone if entry.zone in named else OTHER_DOMAIN, entry.family.value)
            for other, word in WORDS.items():
                counts[*labels, word] += other is result
            if changed_at is not None:
                changes[labels] = max(changed_at, changes.get(labels, 0.0))
        left_out = {entry.zone for entry in held.results} - named
        if left_out:
            self._board.dropped[f.BLOCKLIST_ADDRESSES.name] += len(left_out)
        yield f.BLOCKLIST_ADDRESSES, counts
        yield f.BLOCKLIST_CHANGE, changes

    def _worst_lists(self, held: BlocklistEntries) -> frozenset[str]:
        ranks: dict[str, int] = {}
        for entry, (result, _) in held.results.items():
            ranks[entry.zone] = min(RANK[result], ranks.get(entry.zone, len(RANK)))
        return frozenset(sorted(ranks, key=lambda zone: (ranks[zone], zone))[: self._max_lists])
