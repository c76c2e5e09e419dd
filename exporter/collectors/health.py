"""The exporter's own state: per server, and as a whole."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from datetime import datetime

from exporter import __version__
from exporter.collectors import families as f
from exporter.collectors import own_families as own
from exporter.collectors.exposition import Buckets, Collected
from exporter.model.server import Generation
from exporter.stalwart.common.known_defects import defects_of
from exporter.stalwart.log_problems import LogProblem
from exporter.state.board import Part, ServerBoard
from exporter.state.distribution import Observations
from exporter.store.stats import DURATION_BOUNDS, StoreStats


class IdentitySource:
    """
    The server's identity and capabilities::

        stalwart_up{server="mx1"} 1
        stalwart_known_defect_info{server="mx1",id="queue_resume",fixed_in="0.16.13"} 1
        stalwart_exporter_capability{server="mx1",capability="traces",status="not_licensed"} 1
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.IDENTITY)

    def collect(self) -> Iterator[Collected]:
        board = self._board
        if board.up is not None:
            yield f.UP, {(): int(board.up)}
        if board.clock_skew_seconds is not None:
            yield f.CLOCK_SKEW, {(): round(board.clock_skew_seconds, 1)}
            yield f.CLOCK_STEPS, {(): board.clock_steps}
        identity = board.identity
        if identity is not None and identity.generation is not Generation.UNKNOWN:
            yield f.SERVER, {(identity.version, identity.edition.value, identity.generation.value): 1}
            yield f.KNOWN_DEFECT, {(defect.id, defect.fixed_version): 1 for defect in defects_of(identity.version)}
        yield own.CAPABILITY, {(c.value, s.value): 1 for c, s in sorted(board.capabilities.items())}
        if board.metrics_source:
            yield own.METRICS_SOURCE, {(board.metrics_source,): 1}


class CollectorsSource:
    """
    The collectors of one server, and their requests to it::

        stalwart_exporter_collector_success{server="mx1",collector="queue"} 1
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.HEALTH)

    def collect(self) -> Iterator[Collected]:
        board = self._board
        healths = list(board.collectors.values())
        yield own.COLLECTOR_SUCCESS, {(h.name,): int(h.success) for h in healths if h.success is not None}
        yield (
            own.COLLECTOR_LAST_SUCCESS,
            {(h.name,): h.last_success_at.timestamp() for h in healths if h.last_success_at is not None},
        )
        yield own.COLLECTOR_INTERVAL, {(h.name,): h.interval_seconds for h in healths}
        yield own.COLLECTOR_DURATION, {(h.name,): _buckets(h.durations) for h in healths if any(h.durations.counts)}
        failures = [(h.name, h.failures) for h in healths] + [("detection", board.detection_failures)]
        yield own.COLLECTOR_FAILURES, {(name, r): n for name, counts in failures for r, n in sorted(counts.items())}
        costs = board.costs
        yield own.API_REQUESTS, dict(sorted(costs.requests.items()))
        yield own.API_DURATION, {(e,): _buckets(o) for e, o in sorted(costs.durations.items())}
        yield own.API_BYTES, {(e,): n for e, n in sorted(costs.response_bytes.items())}
        streams = list(board.streams.values())
        yield own.STREAM_CONNECTED, {(s.name,): int(s.connected) for s in streams}
        yield own.STREAM_RECONNECTS, {(s.name,): s.reconnects for s in streams}
        yield own.STREAM_EVENTS, {(s.name,): s.events for s in streams}
        yield own.STREAM_DROPPED, {(s.name,): s.dropped for s in streams}
        yield own.STREAM_GAP, {(s.name,): s.gap_seconds for s in streams}
        yield (
            own.STREAM_LAST_EVENT,
            {(s.name,): s.last_event_at.timestamp() for s in streams if s.last_event_at is not None},
        )
        yield own.STREAM_TRANSPORT, {(s.name, s.transport): 1 for s in streams if s.transport}
        yield own.LOG_GAPS, {(): board.log_gaps}
        yield own.LOG_PROBLEM, _flags(board.log_problem) if board.log_looked_at else {}
        yield own.TRAIL_DROPPED, {(): board.trail_dropped}
        yield own.UNKNOWN_VALUES, {(field,): n for field, n in sorted(board.unknown.items())}
        yield own.SERIES_DROPPED, {(family,): n for family, n in sorted(board.dropped.items())}


def _flags(problem: LogProblem | None) -> dict[tuple[str, ...], int]:
    return {(each.value,): int(each is problem) for each in LogProblem}


def _buckets(observations: Observations) -> Buckets:
    return Buckets(observations.bounds, tuple(observations.counts), observations.sum)


class ExporterSource:
    """
    The exporter as a whole::

        stalwart_exporter_build_info{version="0.1.0",python_version="3.11.7"} 1
        stalwart_exporter_store_size_bytes 73728
    """

    def __init__(
        self, store: StoreStats, reload: Callable[[], tuple[bool, datetime]], tasks: Callable[[], int]
    ) -> None:
        self._store = store
        self._reload = reload
        self._tasks = tasks

    def version(self) -> object:
        s = self._store
        trail = (s.trail_bytes, s.trail_oldest_at)
        errors = sum(s.errors.values())
        return (s.duration_sum, s.ok, errors, s.size_bytes, tuple(s.rows.values()), trail, self._reload())

    def collect(self) -> Iterator[Collected]:
        yield own.BUILD, {(__version__, platform.python_version()): 1}
        yield own.TASKS, {(): self._tasks()}
        s = self._store
        yield own.STORE_SIZE, {(): s.size_bytes}
        yield own.STORE_ROWS, {(table,): n for table, n in sorted(s.rows.items())}
        yield own.TRAIL_BYTES, {(): s.trail_bytes} if s.trail_bytes is not None else {}
        yield own.TRAIL_OLDEST, {(): s.trail_oldest_at} if s.trail_oldest_at is not None else {}
        yield own.STORE_WRITE, {(): Buckets(DURATION_BOUNDS, tuple(s.durations), s.duration_sum)}
        yield own.STORE_ERRORS, {(reason,): n for reason, n in sorted(s.errors.items())}
        yield own.STORE_OK, {(): int(s.ok)}
        good, loaded_at = self._reload()
        yield own.RELOAD_OK, {(): int(good)}
        yield own.RELOAD_TIME, {(): loaded_at.timestamp()}
