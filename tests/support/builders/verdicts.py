"""Servers in trouble, with a past, and what is judged of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from exporter.web.interfaces import (
    CapabilityRow,
    CollectorState,
    CollectorStatus,
    QueueFacts,
    Recent,
    ServerStatus,
    StatusPage,
    StreamStatus,
)
from exporter.web.verdict.history import STEP_SECONDS, History
from exporter.web.verdict.judge import Verdict, judge
from tests.support.listener.app import NOW, collector, server_status

HOUR = 3600.0
CALM = QueueFacts(running=True, messages=3, failing=1)
NO_STATUS = replace(CALM, running=None)
AVAILABLE = tuple(CapabilityRow(name=name, status="available") for name in ("queue", "logs"))
NOT_LICENSED = tuple(CapabilityRow(name=name, status="not_licensed") for name in ("live_metrics", "traces"))


def off(name: str) -> CollectorStatus:
    return collector(name, state=CollectorState.OFF, last_success_at=None, error="not licensed")


def stream(*, connected: bool, off: str = "") -> StreamStatus:
    return StreamStatus(name="metrics", connected=connected, transport="", last_event_at=None, off=off)


class Past:
    """
    A history that was recorded at the real steps, up to now.

    Attributes:
        at: Now, in monotonic seconds.
    """

    def __init__(self) -> None:
        self.at = 0.0
        self.history = History(monotonic=lambda: self.at)

    def play(self, seconds: float, numbers: Callable[[float], Mapping[str, float]]) -> History:
        """The history after *seconds* in which the numbers were *numbers* of the time."""
        while self.at <= seconds:
            self.history.record(numbers(self.at))
            self.at += STEP_SECONDS
        self.at = seconds
        return self.history


def past(seconds: float, **per_second: float) -> History:
    """A history of *seconds* in which each number rose steadily from zero."""
    started = dict.fromkeys(("delivered", "permanent_failure", "temporary_failure", "messages"), 0.0)
    return Past().play(seconds, lambda at: started | {name: rate * at for name, rate in per_second.items()})


@dataclass
class Held:
    """A history in which every condition has held for as long."""

    history: Recent
    seconds: float

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self.history, name)

    def held_seconds(self, condition: str) -> float:
        return self.seconds


def holding(server: ServerStatus, seconds: float) -> ServerStatus:
    """*server*, whose present conditions have held for *seconds*."""
    return replace(server, recent=Held(server.recent, seconds))


def enterprise(**changes: object) -> ServerStatus:
    facts: dict[str, object] = {"queue": CALM, "capabilities": AVAILABLE, "recent": past(HOUR, delivered=0.1)}
    return server_status(**{**facts, **changes})


def community(**changes: object) -> ServerStatus:
    return enterprise(
        edition="community",
        capabilities=(*AVAILABLE, *NOT_LICENSED),
        collectors=(collector(), off("traces"), off("live_metrics")),
        streams=(stream(connected=False, off="not_licensed"),),
        **changes,
    )


def v016(**changes: object) -> ServerStatus:
    return enterprise(**{"generation": "jmap", "version": "0.16.18", "queue": NO_STATUS, **changes})


def down(name: str = "mx1", **changes: object) -> ServerStatus:
    failing = collector(state=CollectorState.FAILING, error="connection refused")
    return server_status(
        **{"name": name, "up": False, "note": "connection refused", "collectors": (failing,), **changes}
    )


def first_minute() -> ServerStatus:
    waiting = collector(state=CollectorState.WAITING, last_success_at=None)
    live = collector("live_metrics", state=CollectorState.WAITING, last_success_at=None)
    return server_status(up=None, collectors=(waiting, live), capabilities=(), streams=(stream(connected=False),))


def verdict(page: StatusPage) -> Verdict:
    return judge(page, now=NOW)
