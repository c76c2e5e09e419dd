"""
Which of the traces that a server lists are new.

Everything is compared with the server's time. Its clock may be set while we watch: ids begin with the time of their
making, so those made after it was set back lie among, or before, those of earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from exporter.stalwart.events.snowflakes import second_of
from exporter.stalwart.http.server_clock import STEP_SECONDS

log = structlog.get_logger("exporter.traces")

OVERLAP_SECONDS = 3600
"""How late a trace may appear, counted from its beginning: longer than any delivery attempt takes."""

AMBIGUOUS = "after a clock change, their times are those of earlier traces"
KEEP_SECONDS = 2.0 * OVERLAP_SECONDS
"""How long an id is remembered that the server does not list, in monotonic seconds."""


class TraceMemory:
    """The ids that are accounted for; none is forgotten that the last answer still listed."""

    def __init__(self, ids: Iterable[str], *, monotonic: float) -> None:
        self._listed_at = dict.fromkeys(map(int, ids), monotonic)

    def __contains__(self, id_: int) -> bool:
        return id_ in self._listed_at

    def add(self, ids: Iterable[int], *, monotonic: float) -> None:
        """These are accounted for."""
        self._listed_at.update(dict.fromkeys(ids, monotonic))

    def forget(self, listed: Iterable[int], *, monotonic: float) -> list[int]:
        """Forgets, and returns, what has not been *listed* for `KEEP_SECONDS`."""
        self._listed_at.update({id_: monotonic for id_ in listed if id_ in self._listed_at})
        gone = [id_ for id_, at in self._listed_at.items() if monotonic - at > KEEP_SECONDS]
        for id_ in gone:
            del self._listed_at[id_]
        return gone


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One list of traces, as it is judged.

    Attributes:
        newest: The newest second that the server had shown before, which it may since have set its clock back from.
        held: The newest second of before its clock was set ahead, while attempts of that time may still end; else
            `newest`.
        now: The server's time when it answered, or ``None`` if that is not known.
        since_last: Seconds since the list before this one, by our own time.
    """

    newest: int
    held: int
    now: int | None
    since_last: int

    @property
    def after(self) -> int:
        """The second after which traces are listed: of what may appear late, and of what began since."""
        begins = min(self.newest, self.held)
        return (min(begins, self._began_since) if self.is_set_back else begins) - OVERLAP_SECONDS

    @property
    def is_set_back(self) -> bool:
        """Whether the server's clock is behind what it has shown."""
        return self.now is not None and self.newest > self.now + STEP_SECONDS

    @property
    def _began_since(self) -> int:
        return (self.now or 0) - min(self.since_last, OVERLAP_SECONDS) - STEP_SECONDS

    def split(self, unseen: Sequence[int]) -> tuple[list[int], list[int]]:
        """
        The new ones among those *unseen*, and the others, in their order.

        While a clock only goes forward, all are new that begin in what was asked for; a server that drops a bound in
        its future lists everything. After the clock was set back, what began before the overlap is of an earlier time,
        but for what began since the last list.
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
        Whether the server was at work at this time before: it lists traces from about now that are not remembered.

        Those of the last minute then cannot be told from those of the first time.
        """
        now = self.now or 0
        others = (second_of(id_) for id_ in unseen if second_of(id_) < begins and not self._began_lately(id_))
        return any(abs(at - now) <= 2 * OVERLAP_SECONDS for at in others)

    def next_newest(self, listed: Iterable[int]) -> int:
        """The newest second shown now: never ahead of the server's clock."""
        latest = None if self.now is None else self.now + STEP_SECONDS
        seconds = [at for at in map(second_of, listed) if latest is None or at <= latest]
        if self.is_set_back:
            return max(seconds, default=self.now or 0)
        return max([self.newest, *seconds])

    def next_held(self, newest: int) -> int:
        """What is held once *newest* is the newest second: what was, where that is more than has passed since."""
        if self.held < self.newest or newest - self.newest <= self.since_last + STEP_SECONDS:
            return min(self.held, newest)
        return self.newest
