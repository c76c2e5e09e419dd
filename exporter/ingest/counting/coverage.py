"""
Which delivery attempts the live stream has covered completely, and which stored traces are therefore needed.

All times are server times, since its clock may differ from ours: a gap reaches from the last event before a disconnect
to the first event after it. Attempts are identified by the second in which they began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.stalwart.events.attempt import AttemptKey
from exporter.stalwart.http.server_clock import STEP_SECONDS

MARGIN_SECONDS = 2
"""Tolerance: the events of one second may arrive in two messages, and an attempt's id may be a second older than it."""

LONGEST_SECONDS = 3600
"""The longest attempt; its trace is stored when it ends."""

SETTLE_SECONDS = 180.0
"""Stored traces are polled until this long after a gap: the server lists them some seconds late."""

MAX_ATTEMPTS = 4096
MAX_SPANS = 256

Span = tuple[int, int | None]
"""Unix seconds, both inclusive; ``None``: until now."""


class LiveCoverage:
    """
    Keeps track of the time spans that the live stream has covered.

    Attributes:
        has_store: Whether the server stores traces; ``None`` while unknown.
        since: Unix second of the first event ever; 0 before that. Attempts that began earlier are history.
        until: Unix second of the last event; 0 before the first. It moves back when the server's clock is set back.
    """

    def __init__(self, *, monotonic: Callable[[], float], state: Any | None = None, down_seconds: float = 0.0) -> None:
        """*down_seconds* is the time since the stream was last complete, for *state* from an earlier run."""
        self._monotonic = monotonic
        self.has_store: bool | None = None
        self.since = self.until = 0
        self._up = False
        self._opening = False
        self._whole: dict[AttemptKey, int] = {}
        self._settled_at = 0.0
        self._read_at = -1.0
        self._missed: list[Span] = [(0, None)]
        self._lost_at = self._saw_at = monotonic() - down_seconds
        self._set_at = monotonic() - (0.0 if state is not None and state.get("was_set") else LONGEST_SECONDS)
        if state is not None:
            self.since, self.until = int(state["since"]), int(state["until"])
            self._missed = [(begin, end) for begin, end in state["missed"]]
            self._miss(self.until - MARGIN_SECONDS, None)
            for began in state["open"]:
                self._miss(began - MARGIN_SECONDS, began + MARGIN_SECONDS)

    @property
    def is_up(self) -> bool:
        """Whether the stream is connected."""
        return self._up

    @property
    def silent_seconds(self) -> float:
        """Time since the stream was last complete, in seconds; 0 while it is."""
        return 0.0 if self._up and not self._opening else max(0.0, self._monotonic() - self._lost_at)

    @property
    def asks(self) -> bool:
        """Whether stored traces must be polled now."""
        return not self._up or self._read_at < self._settled_at

    @property
    def missing_since(self) -> int | None:
        """The start of the first attempt that may have to be read from storage; ``None`` without one."""
        return min((begin for begin, _ in self._missed), default=None)

    def begin(self) -> None:
        """Record that the stream is connected."""
        self._up = self._opening = True
        self._whole.clear()
        self.ask()

    def ask(self) -> None:
        """Request stored traces: one that was missed may be stored now or soon."""
        self._settled_at = self._monotonic() + SETTLE_SECONDS

    def saw(self, oldest: int, newest: int) -> None:
        """Record a message that covers everything from *oldest* to *newest*."""
        is_set_back = newest < self.until - STEP_SECONDS
        if self._opening:
            self._opening = False
            self._close_missed(newest)
            self.ask()
        elif self._is_ahead(newest):
            self._set_at = self._monotonic()
        self._saw_at = self._monotonic()
        if is_set_back:
            self._set_at = self._monotonic()
            self.since = min(self.since, oldest)
            self.ask()
        self.since = self.since or oldest
        self.until = newest if is_set_back else max(self.until, newest)

    def _is_ahead(self, newest: int) -> bool:
        """Return whether the server's clock advanced further since the last message than the monotonic clock."""
        return self.until > 0 and newest - self.until > self._monotonic() - self._saw_at + STEP_SECONDS

    def _close_missed(self, newest: int) -> None:
        """Close open gaps at *newest*, also if the server's clock was set in the meantime."""
        gap = int(self._monotonic() - self._lost_at) + STEP_SECONDS
        was_set = self.until > 0 and not -STEP_SECONDS <= newest - self.until <= gap
        if was_set:
            self._set_at = self._monotonic()
        # A short span in between is read as well; it holds no traces if the clock was set.
        is_bridged = not was_set or 0 <= newest - self.until <= LONGEST_SECONDS
        open_ends = [begin for begin, end in self._missed if end is None]
        self._missed = [(begin, end) for begin, end in self._missed if end is not None]
        for begin in open_ends:
            self._miss(begin, newest + MARGIN_SECONDS if is_bridged else begin + gap)
        if not is_bridged and open_ends:
            self._miss(newest - gap, newest + MARGIN_SECONDS)

    def lose(self) -> None:
        """Record that the stream has ended or lost messages: nothing is covered from here on."""
        if not self._opening and self._up:
            self._lost_at = self._monotonic()
            self._miss(self.until - MARGIN_SECONDS, None)
            for began in self._whole.values():
                self._miss(began - MARGIN_SECONDS, began + MARGIN_SECONDS)
        self._whole.clear()
        self._up = False

    def hole(self) -> None:
        """Record that messages were lost on a stream that goes on."""
        self.lose()
        self.begin()

    def started(self, attempt: AttemptKey, at: int) -> None:
        """Record an attempt whose start was seen live."""
        self._whole[attempt] = at
        if len(self._whole) > MAX_ATTEMPTS:
            began = self._whole.pop(next(iter(self._whole)))
            self._miss(began - MARGIN_SECONDS, began + MARGIN_SECONDS)

    def is_whole(self, attempt: AttemptKey) -> bool:
        """Return whether all events so far of an attempt in progress were seen."""
        return attempt in self._whole

    def ended(self, attempt: AttemptKey) -> None:
        """Record the end of an attempt; if its start was missed, its trace is about to be stored."""
        if self._whole.pop(attempt, None) is None:
            self.ask()

    def wants(self, began: int) -> bool:
        """Return whether the trace of an attempt that began at *began* may hold events that the stream missed."""
        return any(begin <= began and (end is None or began <= end) for begin, end in self._missed)

    def read_all(self, began: float) -> None:
        """
        Record that all needed traces that were stored at *began* (monotonic seconds) have been read.

        Gaps that are older than the longest attempt are then closed for good.
        """
        self.has_store = True
        self._read_at = began
        if began - self._set_at < LONGEST_SECONDS:
            return  # Gaps from before the clock was set cannot be compared with its new time.
        latest = self.until + LONGEST_SECONDS
        self._missed = [
            (begin, end)
            for begin, end in self._missed
            if end is None or (end + LONGEST_SECONDS >= self.until and begin <= latest)
        ]

    def no_store(self) -> None:
        """Record that the server does not store traces: gaps cannot be filled."""
        self.has_store = False
        self._missed = [(begin, end) for begin, end in self._missed if end is None]

    def to_state(self) -> Any:
        """Return the state as JSON-serializable data."""
        under_way = sorted(set(self._whole.values()))
        was_set = self._monotonic() - self._set_at < LONGEST_SECONDS
        told = {"since": self.since, "until": self.until, "was_set": was_set}
        return {**told, "missed": self._missed, "open": under_way}

    def _miss(self, begin: int, end: int | None) -> None:
        spans: list[Span] = []
        known = dict.fromkeys([*self._missed, (max(0, begin), end)])
        for low, high in sorted(known, key=lambda span: span[0]):
            last_low, last_high = spans[-1] if spans else (0, None)
            if last_high is not None and high is not None and low <= last_high + 1:
                spans[-1] = (last_low, max(last_high, high))
            else:
                # An open gap is never merged: its end is unknown if the clock is set in the meantime.
                spans.append((low, high))
        while len(spans) > MAX_SPANS:
            # Merge the oldest two: this reads too many traces, never too few.
            spans[0:2] = [(spans[0][0], spans[1][1])]
        self._missed = spans
