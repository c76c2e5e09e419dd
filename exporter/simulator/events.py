"""Events and spans, and the journal that passes each on to counters, log, traces and ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import catalog
from .counters import ProcessCounters
from .ledger import Ledger
from .logs import LogFiles
from .values import Keys, pairs_to_text, rfc3339


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `time` is Unix seconds, `span` the keys of the session or attempt around it."""

    event_id: str
    time: float
    keys: Keys
    span: Keys
    span_id: int | None = None


@dataclass(slots=True)
class Span:
    """
    A session or a delivery attempt.

    Attributes:
        keys: Those of the opening event; the log and the live stream repeat them with each event.
        kept: Its events are collected, to be stored when it ends.
    """

    span_id: int
    keys: Keys
    kept: bool = True
    events: list[Event] = field(default_factory=list)


Listener = Callable[[Event], None]


class Journal:
    """
    The one way by which anything that happens becomes visible.

    Attributes:
        listeners: Called with each event in order; live streams hang in here.
        written_name: What the log calls an event; everywhere else ids are those of v0.15.
    """

    def __init__(self, now: Callable[[], float], log_level: str) -> None:
        self._now = now
        self._threshold = catalog.LEVELS.index(log_level)
        self.ledger = Ledger()
        self.counters = ProcessCounters()
        self.log = LogFiles()
        self.listeners: list[Listener] = []
        self.written_name: Callable[[str], str] = str

    def restart(self) -> None:
        """Forget what a process holds in memory; the log files and the ledger stay."""
        self.counters = ProcessCounters()

    def raise_event(self, event_id: str, keys: Keys | None = None, span: Span | None = None) -> None:
        """Let one event happen now."""
        span_keys, span_id = (span.keys, span.span_id) if span is not None else ({}, None)
        event = Event(event_id, self._now(), keys or {}, span_keys, span_id)
        self.ledger.events[event_id] += 1
        self.counters.apply(event_id, event.keys)
        if span is not None and span.kept:
            span.events.append(event)
        self._write(event, opening=span is not None and event.keys is span.keys)
        for listener in tuple(self.listeners):
            listener(event)

    def _write(self, event: Event, *, opening: bool) -> None:
        level = catalog.level(event.event_id)
        if catalog.LEVELS.index(level) < self._threshold:
            return
        pairs = [] if opening else list(event.span.items())
        details = pairs_to_text([*pairs, *event.keys.items()])
        timestamp, name = rfc3339(event.time), self.written_name(event.event_id)
        self.log.append(timestamp[:10], f"{timestamp} {level} {catalog.title(event.event_id)} ({name}) {details}")
        self.ledger.log_lines[level, event.event_id] += 1
