"""The status page's first lines: is all well, and if not, what fails, where, and when it was last good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.web.ports import CollectorState, ServerStatus, StatusPage

PROBLEMS_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    One thing that fails.

    Attributes:
        last_good_at: ``None`` if it never was good, or that is not known.
    """

    where: str
    what: str
    last_good_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    The state of everything in one line.

    Attributes:
        kind: ``good``, ``wait`` (nothing fails, not everything was asked) or ``bad``.
        problems: At most `PROBLEMS_SHOWN`, servers that are down first.
    """

    kind: str
    title: str
    problems: Sequence[Problem]
    problems_left_out: int


def judge(page: StatusPage) -> Verdict:
    """The verdict on a page."""
    problems = [*_down(page), *_failing(page), *_store(page)]
    kind = "bad" if problems else "wait" if any(_is_waiting(server) for server in page.servers) else "good"
    return Verdict(
        kind=kind,
        title=_title(page, kind),
        problems=problems[:PROBLEMS_SHOWN],
        problems_left_out=max(0, len(problems) - PROBLEMS_SHOWN),
    )


def _title(page: StatusPage, kind: str) -> str:
    if not page.servers:
        return "No server is configured"
    up = sum(1 for server in page.servers if server.up)
    servers = f"{up} of {len(page.servers)} {'server' if len(page.servers) == 1 else 'servers'} up"
    if kind == "good":
        return f"All is well: {servers}"
    if kind == "wait":
        return f"Waiting for first answers: {servers}"
    failing = sum(1 for server in page.servers for c in server.collectors if c.state is CollectorState.FAILING)
    cut = sum(1 for server in page.servers for stream in server.streams if not stream.connected)
    parts = [servers]
    if failing:
        parts.append(f"{failing} {'collector' if failing == 1 else 'collectors'} failing")
    if cut:
        parts.append(f"{cut} live {'stream' if cut == 1 else 'streams'} disconnected")
    if page.store is not None and not page.store.ok:
        parts.append("history not usable")
    return ", ".join(parts)


def _down(page: StatusPage) -> Iterator[Problem]:
    for server in page.servers:
        if server.up is False:
            error = next((c.error for c in server.collectors if c.error), "")
            successes = [c.last_success_at for c in server.collectors if c.last_success_at is not None]
            yield Problem(
                where=server.name,
                what=f"is down: {error}" if error else "is down",
                last_good_at=max(successes, default=None),
            )


def _failing(page: StatusPage) -> Iterator[Problem]:
    """What fails on servers that are not down as a whole."""
    for server in page.servers:
        if server.up is False:
            continue
        for collector in server.collectors:
            if collector.state is CollectorState.FAILING:
                what = f"{collector.name} fails: {collector.error}" if collector.error else f"{collector.name} fails"
                yield Problem(where=server.name, what=what, last_good_at=collector.last_success_at)
        for stream in server.streams:
            if not stream.connected:
                yield Problem(where=server.name, what=f"live stream {stream.name} is disconnected")


def _store(page: StatusPage) -> Iterator[Problem]:
    if page.store is not None and not page.store.ok:
        yield Problem(where="history", what=page.store.error or "cannot be used")


def _is_waiting(server: ServerStatus) -> bool:
    return server.up is None or any(c.state is CollectorState.WAITING for c in server.collectors)
