"""
Which of the traces that a server lists are new.

All comparisons use server time. The server's clock may be set at any time: ids begin with their creation time, so the
ids created after the clock was set back lie among, or before, older ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from exporter.stalwart.events.snowflakes import second_of
from exporter.stalwart.http.server_clock import STEP_SECONDS

log = structlog.get_logger("exporter.traces")

OVERLAP_SECONDS = 3600
"""How late a trace may appear, measured from its start: longer than any delivery attempt."""

AMBIGUOUS = "after a clock change, their times are those of earlier traces"
KEEP_SECONDS = 2.0 * OVERLAP_SECONDS
"""How long an id is kept that the server no longer lists, in monotonic seconds."""


class TraceMemory:
    """The recorded trace ids; an id that the last response listed is never dropped."""

    def __init__(self, ids: Iterable[str], *, monotonic: float) -> None:
        self._listed_at = dict.fromkeys(map(int, ids), monotonic)

    def __contains__(self, id_: int) -> bool:
        return id_ in self._listed_at

    def add(self, ids: Iterable[int], *, monotonic: float) -> None:
        """Record *ids*."""
        self._listed_at.update(dict.fromkeys(ids, monotonic))

    def forget(self, listed: Iterable[int], *, monotonic: float) -> list[int]:
        """Drop and return the ids that were not *listed* for `KEEP_SECONDS`."""
        self._listed_at.update({id_: monotonic for id_ in listed if id_ in self._listed_at})
        gone = [id_ for id_, at in self._listed_at.items() if monotonic - at > KEEP_SECONDS]
        for id_ in gone:
            del self._listed_at[id_]
        return gone


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One list of traces, with what is needed to judge it.

    Attributes:
        newest: The newest second in earlier lists; the server's clock may have been set back since.
        held: The newest second before the clock was set ahead, while attempts of that time may still end; otherwise
            `newest`.
        now: The server's time of the response; ``None`` if unknown.
        since_last: Seconds since the previous list, by our clock.
    """

    newest: int
    held: int
    now: int | None
    since_last: int

    @property
    def after(self) -> int:
        """The second after which traces are listed: those that may appear late, and those that began since."""
        begins = min(self.newest, self.held)
        return (min(begins, self._began_since) if self.is_set_back else begins) - OVERLAP_SECONDS

    @property
    def is_set_back(self) -> bool:
        """Whether the server's clock is behind the newest second in earlier lists."""
        return self.now is not None and self.newest > self.now + STEP_SECONDS

    @property
    def _began_since(self) -> int:
        return (self.now or 0) - min(self.since_last, OVERLAP_SECONDS) - STEP_SECONDS

    def split(self, unseen: Sequence[int]) -> tuple[list[int], list[int]]:
        """
        Split *unseen* into the new ids and the others, both in their order.

        While the clock only moves forward, every id from the requested time on is new; a server that ignores a future
        bound lists all traces. After the clock was set back, an id from before the overlap is old, unless it began
        since the last list.
        """
        begins = min(self.newest, self.held) - OVERLAP_SECONDS
        since = [id_ for id_ in unseen if second_of(id_) < begins and self._began_lately(id_)]
        if len(since) and self._is_ambiguous(unseen, begins):
            log.warning("traces.skipped", collector="traces", traces=len(since), reason=AMBIGUOUS)
            since = []
        chosen = {*since, *(id_ for id_ in unseen if second_of(id_) >= begins)}
        return [id_ for id_ in unseen if id_ in chosen], [id_ for id_ in unseen if id_ not in chosen]

    def _began_lately(self, id_: int) -> bool:
        return self.now is not None and self._began_since <= second_of(id_) <= self.now + STEP_SECONDS

    def _is_ambiguous(self, unseen: Iterable[int], begins: int) -> bool:
        """
        Return whether the server has used this time before: it lists unrecorded traces from about now.

        New traces then cannot be told apart from those of the first time.
        """
        now = self.now or 0
        others = (second_of(id_) for id_ in unseen if second_of(id_) < begins and not self._began_lately(id_))
        return any(abs(at - now) <= 2 * OVERLAP_SECONDS for at in others)

    def next_newest(self, listed: Iterable[int]) -> int:
        """Return the newest second after this list, never ahead of the server's clock."""
        latest = None if self.now is None else self.now + STEP_SECONDS
        seconds = [at for at in map(second_of, listed) if latest is None or at <= latest]
        if self.is_set_back:
            return max(seconds, default=self.now or 0)
        return max([self.newest, *seconds])

    def next_held(self, newest: int) -> int:
        """Return `held` for the next list: kept back if *newest* moved further than the time since."""
        if self.held < self.newest or newest - self.newest <= self.since_last + STEP_SECONDS:
            return min(self.held, newest)
        return self.newest
