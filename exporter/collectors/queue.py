"""The families of the queue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from exporter.collectors import families as f
from exporter.collectors import mail_families as m
from exporter.collectors.exposition import Buckets, Collected, Labels
from exporter.model.queue import LIMITERS, OTHER_DOMAIN, Distribution, QueueSnapshot, RecipientStatus
from exporter.state.board import Part, ServerBoard


class QueueSource:
    """
    The outbound queue as of the latest successful poll::

        stalwart_queue_recipients{server="mx1",queue="remote",status="scheduled"} 12
        stalwart_queue_failures{server="mx1",status="temporary_failure",reason="dns_error",code=""} 3
    """

    def __init__(self, board: ServerBoard, *, max_domains: int) -> None:
        self._board = board
        self._max_domains = max_domains

    def version(self) -> object:
        return self._board.version(Part.QUEUE)

    def collect(self) -> Iterator[Collected]:
        queue = self._board.queue
        if queue is None:
            return
        if queue.running is not None:
            yield f.QUEUE_RUNNING, {(): int(queue.running)}
        yield f.QUEUE_MESSAGES, {(): queue.messages}
        yield f.QUEUE_BYTES, {(): queue.size_bytes}
        yield f.QUEUE_RECIPIENTS, {(q, s.value): n for (q, s), n in sorted(queue.recipients.items())}
        if queue.oldest_created_at is not None:
            yield f.QUEUE_OLDEST, {(): queue.oldest_created_at.timestamp()}
        yield f.QUEUE_AGE, {(): _buckets(queue.ages_seconds)}
        yield f.QUEUE_ATTEMPTS, {(): _buckets(queue.attempts)}
        names = sorted({name for name, _ in queue.recipients})
        yield f.QUEUE_OVERDUE, {(name,): queue.overdue.get(name, 0) for name in names}
        yield f.QUEUE_EXPIRED, {(name,): queue.expired.get(name, 0) for name in names}
        if self._max_domains:
            yield f.QUEUE_DOMAINS, self._domains(queue)
        yield f.QUEUE_FAILURES, {(s.value, r.value, c): n for (s, r, c), n in sorted(queue.failures.items())}
        pairs = sorted({*queue.held, *itertools.product(names, LIMITERS.values())})
        yield m.QUEUE_HELD, {pair: queue.held[pair].recipients if pair in queue.held else 0 for pair in pairs}
        held = sorted(queue.held.items())
        yield m.QUEUE_HELD_FIRST_RELEASE, {pair: one.first_release_at.timestamp() for pair, one in held}
        yield m.QUEUE_HELD_LAST_RELEASE, {pair: one.last_release_at.timestamp() for pair, one in held}
        yield f.QUEUE_TRUNCATED, {(): int(queue.truncated)}

    def _domains(self, queue: QueueSnapshot) -> Mapping[Labels, int]:
        shown, dropped = largest(queue.domains, self._max_domains)
        if dropped:
            self._board.dropped[f.QUEUE_DOMAINS.name] += dropped
        return shown


def largest(domains: Mapping[tuple[str, RecipientStatus], int], most: int) -> tuple[Mapping[Labels, int], int]:
    """Return the *most* largest destinations, the sum of the rest as ``other``, and the number of the rest."""
    sizes: dict[str, int] = {}
    for (domain, _), count in domains.items():
        if domain != OTHER_DOMAIN:
            sizes[domain] = sizes.get(domain, 0) + count
    named = set(sorted(sizes, key=lambda domain: (-sizes[domain], domain))[:most])
    shown: dict[Labels, int] = {}
    for (domain, status), count in sorted(domains.items()):
        key = (domain if domain in named else OTHER_DOMAIN, status.value)
        shown[key] = shown.get(key, 0) + count
    return shown, len(sizes) - len(named)


def _buckets(distribution: Distribution) -> Buckets:
    return Buckets(distribution.bounds, distribution.counts, distribution.total)


class FailedSource:
    """
    Recipients in failure::

        stalwart_failed_deliveries{server="mx1",kind="temporary"} 12
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.FAILED)

    def collect(self) -> Iterator[Collected]:
        failed = self._board.failed
        if failed is not None:
            yield f.FAILED_DELIVERIES, {(kind,): count for kind, count in failed.items()}


class OutgoingSource:
    """
    Outgoing reports::

        stalwart_outgoing_reports{server="mx1",kind="dmarc"} 1
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.OUTGOING)

    def collect(self) -> Iterator[Collected]:
        outgoing = self._board.outgoing
        if outgoing is not None:
            yield f.OUTGOING_REPORTS, {(kind,): count for kind, count in sorted(outgoing.waiting.items())}
