"""The families of domain checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from exporter.collectors.exposition import Collected, Labels
from exporter.collectors.posture import families as f
from exporter.model.posture import Check, CheckResult
from exporter.model.queue import OTHER_DOMAIN
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import Result

RANK = {CheckResult.BAD: 0, CheckResult.UNKNOWN: 1, CheckResult.GOOD: 2}


class PostureSource:
    """
    The results of the checks; beyond the label limit, the number of domains with each result in ``other``::

        stalwart_domain_check{server="mx1",domain="example.org",check="dkim",result="bad"} 1
        stalwart_domain_check{server="mx1",domain="other",check="dkim",result="good"} 975
        stalwart_domain_check_change_timestamp_seconds{server="mx1",domain="example.org",check="dkim"} 1796000000
    """

    def __init__(self, board: ServerBoard, *, max_domains: int) -> None:
        self._board = board
        self._max_domains = max_domains

    def version(self) -> object:
        return self._board.version(Part.POSTURE)

    def collect(self) -> Iterator[Collected]:
        posture = self._board.posture
        if posture is None:
            return
        named = worst_domains(posture.results, self._max_domains)
        checks: Counter[Labels] = Counter()
        changes: dict[Labels, float] = {}
        left_out: set[str] = set()
        for (domain, check), (result, changed_at) in sorted(posture.results.items()):
            label = domain if domain in named else OTHER_DOMAIN
            checks[label, check.value, result.value] += 1
            if label == OTHER_DOMAIN:
                left_out.add(domain)
            elif changed_at is not None:
                changes[label, check.value] = changed_at
        if left_out:
            name = f.DOMAIN_CHECK.name
            self._board.dropped[name] += len(left_out)
        yield f.DOMAIN_CHECK, checks
        yield f.DOMAIN_CHECK_CHANGE, changes


def worst_domains(results: Mapping[tuple[str, Check], Result], most: int) -> frozenset[str]:
    """Return at most *most* domains: first those with a bad result, then with an unknown one, each by name."""
    ranks: dict[str, int] = {}
    for (domain, _), (result, _) in results.items():
        ranks[domain] = min(RANK[result], ranks.get(domain, len(RANK)))
    return frozenset(sorted(ranks, key=lambda domain: (ranks[domain], domain))[:most])
