"""The families of certificates that listeners show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from exporter.collectors.exposition import Collected, Labels
from exporter.collectors.posture import families as f
from exporter.collectors.posture.domains import RANK
from exporter.model.outside import Listener
from exporter.model.queue import OTHER_DOMAIN
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import ServedCertificates


class ServedSource:
    """
    The results of the latest handshakes; hosts beyond the label limit are summed in ``other``::

        stalwart_served_certificate_check{host="mx.example.org",port="465",family="ipv4",check="names",result="good"} 1
        stalwart_served_certificate_not_after_timestamp_seconds{host="mx.example.org",port="465",family="ipv4"} 1.796e9
    """

    def __init__(self, board: ServerBoard, *, max_hosts: int) -> None:
        self._board = board
        self._max_hosts = max_hosts

    def version(self) -> object:
        return self._board.version(Part.SERVED)

    def collect(self) -> Iterator[Collected]:
        served = self._board.held(Part.SERVED, ServedCertificates)
        if served is None:
            return
        named, all_hosts = self._worst_hosts(served)
        checks: Counter[Labels] = Counter()
        for (listener, check), result in served.results.items():
            checks[*_labels(listener, named), check.value.removeprefix("certificate_"), result.value] += 1
        ends: dict[Labels, float] = {}
        for listener, end in served.ends.items():
            labels = _labels(listener, named)
            ends[labels] = min(end, ends.get(labels, end))
        if all_hosts > len(named):
            self._board.dropped[f.SERVED_CERTIFICATE_CHECK.name] += all_hosts - len(named)
        yield f.SERVED_CERTIFICATE_CHECK, checks
        yield f.SERVED_CERTIFICATE_NOT_AFTER, ends

    def _worst_hosts(self, served: ServedCertificates) -> tuple[frozenset[str], int]:
        """Return the hosts that are named, and the number of all."""
        ranks: dict[str, int] = {}
        for (listener, _), result in served.results.items():
            ranks[listener.host] = min(RANK[result], ranks.get(listener.host, len(RANK)))
        return frozenset(sorted(ranks, key=lambda host: (ranks[host], host))[: self._max_hosts]), len(ranks)


def _labels(listener: Listener, named: frozenset[str]) -> Labels:
    host = listener.host if listener.host in named else OTHER_DOMAIN
    return host, str(listener.port.number), listener.family.value
