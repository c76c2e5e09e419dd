"""Events and spans, and the journal that passes them to counters, log, traces and ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.counters import ProcessCounters
from exporter.simulator.world.telemetry.ledger import Ledger
from exporter.simulator.world.telemetry.logs import LogFiles
from exporter.simulator.world.values import Keys, Value, pairs_to_text, rfc3339, to_text

SHADES = {"ERROR": 31, "WARN": 33, "INFO": 32, "DEBUG": 34, "TRACE": 35}


@dataclass(frozen=True, slots=True)
class Event:
    """An event; `time` is Unix seconds, `span` the session or attempt around it."""

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
        keys: Keys of the opening event; the log and the live stream repeat them with each event.
        kept: Whether its events are collected, to be stored when it ends.
    """

    span_id: int
    keys: Keys
    kept: bool = True
    events: list[Event] = field(default_factory=list)


Listener = Callable[[Event], None]


class Journal:
    """
    The single path on which events become visible.

    Attributes:
        listeners: Called with each event in order; used by live streams.
        written_name: Returns an event's name in the log; everywhere else ids are those of v0.15.
        log_level: The lowest level that is logged.
        ansi, multiline: Format of the log: coloured, each detail on its own line.
    """

    def __init__(
        self, now: Callable[[], float], log_level: str, *, ansi: bool = False, multiline: bool = False
    ) -> None:
        self._now = now
        self.log_level = log_level
        self.ansi = ansi
        self.multiline = multiline
        self.ledger = Ledger()
        self.counters = ProcessCounters()
        self.log = LogFiles()
        self.listeners: list[Listener] = []
        self.written_name: Callable[[str], str] = str

    def restart(self) -> None:
        """Forget the state of the process; the log files and the ledger stay."""
        self.counters = ProcessCounters()

    def raise_event(self, event_id: str, keys: Keys | None = None, span: Span | None = None) -> None:
        """Raise one event now."""
        span_keys, span_id = (span.keys, span.span_id) if span is not None else ({}, None)
        event = Event(event_id, self._now(), keys or {}, span_keys, span_id)
        self.ledger.events[event_id] += 1
        self.counters.apply(event_id, event.keys)
        if span is not None and span.kept:
            span.events.append(event)
        self._write(event, opening=span is not None and event.keys is span.keys)
        for listener in tuple(self.listeners):
            listener(event)

    def logs(self, event_id: str) -> bool:
        """Return whether an event is logged."""
        return catalog.LEVELS.index(catalog.level(event_id)) >= catalog.LEVELS.index(self.log_level)

    def _write(self, event: Event, *, opening: bool) -> None:
        if not self.logs(event.event_id):
            return
        level = catalog.level(event.event_id)
        pairs = [*([] if opening else event.span.items()), *event.keys.items()]
        timestamp, name = rfc3339(event.time), self.written_name(event.event_id)
        for line in self._lines((timestamp, level, catalog.title(event.event_id), name), pairs):
            self.log.append(timestamp[:10], line)
        self.ledger.log_lines[level, event.event_id] += 1

    def _lines(self, heading: tuple[str, str, str, str], pairs: Sequence[tuple[str, Value]]) -> list[str]:
        """Return an event's log lines; *heading* is its time, level, title and name."""
        timestamp, level, title, name = heading
        white, bold, key, off = ("\x1b[37m", "\x1b[37;1m", "\x1b[36m", "\x1b[0m") if self.ansi else ("",) * 4
        shade = f"\x1b[{SHADES[level]};1m" if self.ansi else ""
        head = f"{white}{timestamp}{off} {shade}{level}{off} {bold}{title}{off} ({name})"
        if self.multiline:
            return [head, *(f"\t{key}{each}{off} = {to_text(value)}" for each, value in pairs)]
        if not self.ansi:
            return [f"{head} {pairs_to_text(pairs)}"]
        return [f"{head} {', '.join(f'{key}{each}{off} = {to_text(value)}' for each, value in pairs)}"]
