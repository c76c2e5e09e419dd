"""
Which delivery attempts the live stream has told of from beginning to end, and which stored traces are therefore needed.

All times are the server's own, so that its clock may differ from ours: what was missed lies between the last event
before a cut and the first one after it. Attempts are known by the second in which they began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.stalwart.events.attempt import AttemptKey
from exporter.stalwart.http.server_clock import STEP_SECONDS

MARGIN_SECONDS = 2
"""Events of one second may come in two messages, and an attempt's id may be of the second before its first event."""

LONGEST_SECONDS = 3600
"""How long after its beginning an attempt may end, and so be stored."""

SETTLE_SECONDS = 180.0
"""Stored traces are asked for until this long after something was missed: they are listed late by some seconds."""

MAX_ATTEMPTS = 4096
MAX_SPANS = 256

Span = tuple[int, int | None]
"""Unix seconds, both inclusive; ``None``: until now."""


class LiveCoverage:
    """
    Keeps account of what the stream tells.

    Attributes:
        has_store: Whether the server stores traces; ``None`` until it has been asked.
        since: The second of the first event ever; 0 before that. What began earlier is history.
        until: The second that the stream has told of last; 0 before the first. It goes back with the server's clock.
    """

    def __init__(self, *, monotonic: Callable[[], float], state: Any | None = None, down_seconds: float = 0.0) -> None:
        """*down_seconds* is how long ago the stream told last, as of *state*."""
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
        """For how long the stream has not told everything; 0 while it does."""
        return 0.0 if self._up and not self._opening else max(0.0, self._monotonic() - self._lost_at)

    @property
    def asks(self) -> bool:
        """Whether stored traces are wanted now."""
        return not self._up or self._read_at < self._settled_at

    @property
    def missing_since(self) -> int | None:
        """The beginning of the first attempt that may have to be read from storage; ``None`` if there is none."""
        return min((begin for begin, _ in self._missed), default=None)

    def begin(self) -> None:
        """The stream is connected."""
        self._up = self._opening = True
        self._whole.clear()
        self.ask()

    def ask(self) -> None:
        """Something that was missed may be stored by now or soon."""
        self._settled_at = self._monotonic() + SETTLE_SECONDS

    def saw(self, oldest: int, newest: int) -> None:
        """A message has told of everything from *oldest* to *newest*."""
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
        """Whether more of the server's time has passed since the last message than has by any other clock."""
        return self.until > 0 and newest - self.until > self._monotonic() - self._saw_at + STEP_SECONDS

    def _close_missed(self, newest: int) -> None:
        """What was missed without an end ends now, at *newest*; also if the server's clock was set meanwhile."""
        gap = int(self._monotonic() - self._lost_at) + STEP_SECONDS
        was_set = self.until > 0 and not -STEP_SECONDS <= newest - self.until <= gap
        if was_set:
            self._set_at = self._monotonic()
        # What lies between is read as well where that is little: nothing is there if the clock was set.
        is_bridged = not was_set or 0 <= newest - self.until <= LONGEST_SECONDS
        open_ends = [begin for begin, end in self._missed if end is None]
        self._missed = [(begin, end) for begin, end in self._missed if end is not None]
        for begin in open_ends:
            self._miss(begin, newest + MARGIN_SECONDS if is_bridged else begin + gap)
        if not is_bridged and open_ends:
            self._miss(newest - gap, newest + MARGIN_SECONDS)

    def lose(self) -> None:
        """The stream is gone, or messages of it were not read: what follows has not been told of."""
        if not self._opening and self._up:
            self._lost_at = self._monotonic()
            self._miss(self.until - MARGIN_SECONDS, None)
            for began in self._whole.values():
                self._miss(began - MARGIN_SECONDS, began + MARGIN_SECONDS)
        self._whole.clear()
        self._up = False

    def hole(self) -> None:
        """Messages of the stream were not read, and it goes on."""
        self.lose()
        self.begin()

    def started(self, attempt: AttemptKey, at: int) -> None:
        """An attempt has begun before our eyes."""
        self._whole[attempt] = at
        if len(self._whole) > MAX_ATTEMPTS:
            began = self._whole.pop(next(iter(self._whole)))
            self._miss(began - MARGIN_SECONDS, began + MARGIN_SECONDS)

    def is_whole(self, attempt: AttemptKey) -> bool:
        """Whether everything of an attempt under way has come."""
        return attempt in self._whole

    def ended(self, attempt: AttemptKey) -> None:
        """An attempt has ended; one whose beginning was missed is about to be stored."""
        if self._whole.pop(attempt, None) is None:
            self.ask()

    def wants(self, began: int) -> bool:
        """Whether the trace of an attempt of this beginning may tell what the stream did not."""
        return any(begin <= began and (end is None or began <= end) for begin, end in self._missed)

    def read_all(self, began: float) -> None:
        """
        Everything that was stored and wanted at *began* (monotonic seconds) has been read.

        What was missed longer ago than any attempt takes is settled then.
        """
        self.has_store = True
        self._read_at = began
        if began - self._set_at < LONGEST_SECONDS:
            return  # What was missed before the server's clock was set is long ago, or to come, by its new time.
        latest = self.until + LONGEST_SECONDS
        self._missed = [
            (begin, end)
            for begin, end in self._missed
            if end is None or (end + LONGEST_SECONDS >= self.until and begin <= latest)
        ]

    def no_store(self) -> None:
        """The server does not store traces: nothing can be made up for."""
        self.has_store = False
        self._missed = [(begin, end) for begin, end in self._missed if end is None]

    def to_state(self) -> Any:
        """The JSON-able form."""
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
                # One without an end stands by itself: where it ends is not known, should the clock be set meanwhile.
                spans.append((low, high))
        while len(spans) > MAX_SPANS:
            # The oldest two become one: too much is asked for, never too little.
            spans[0:2] = [(spans[0][0], spans[1][1])]
        self._missed = spans
