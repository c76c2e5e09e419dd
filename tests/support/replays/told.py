"""What is answered about mail that real servers logged; run as a program, it writes the kept answers again."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.answers.answer import Answer
from exporter.answers.asked import parse_asked
from exporter.answers.finding import find
from exporter.answers.gather import Gatherer
from exporter.answers.nothing import Coverage, tell_nothing
from exporter.answers.queue_state import LiveState
from exporter.cli.output import console
from exporter.cli.why.text import show_answer
from exporter.clock import rfc3339
from exporter.store.reading import History, reading
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.masking import Addresses
from exporter.store.trail.reader import TrailReader
from tests.support.paths import ROOT
from tests.support.replays.trail import FOLDERS, EventReader, LogReader, log_lines, stories

RECENT = timedelta(hours=3)
_TIME = re.compile(r"2026-1[12]-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def keep_recent(path: Path, folder: str, names: Sequence[str], *, addresses: Addresses = Addresses.FULL) -> None:
    """Take the log of some cases in as if they had ended `RECENT` ago, for commands that look at the clock."""
    keep(path, folder, names, addresses=addresses, ends_at=datetime.now(UTC).replace(microsecond=0) - RECENT)


def _moved(rows: list[dict[str, Any]], by: timedelta) -> list[dict[str, Any]]:
    text = _TIME.sub(lambda found: rfc3339(datetime.fromisoformat(found[0]) + by), json.dumps(rows))
    moved: list[dict[str, Any]] = json.loads(text)
    return moved


def keep(
    path: Path,
    folder: str,
    names: Sequence[str],
    *,
    addresses: Addresses = Addresses.FULL,
    source: str = "log",
    ends_at: datetime | None = None,
) -> datetime:
    """Take some cases into a history, from the log or as events; return the time of their last line."""
    time = {"log": "timestamp", "events": "createdAt"}[source]
    rows = sorted((row for name in names for row in stories(folder)[name][source]), key=lambda row: str(row[time]))
    if ends_at is not None:
        rows = _moved(rows, ends_at - datetime.fromisoformat(rows[-1][time]))
    begins, ends = (datetime.fromisoformat(rows[at][time]) for at in (0, -1))

    async def read() -> None:
        reader = await LogReader.start(path, at=begins, addresses=addresses)
        await reader.poll()
        reader.file.lines += log_lines(rows)
        await reader.poll(ends + timedelta(seconds=1))
        # By now, sessions that fell silent have ended, and late reasons have arrived.
        await reader.poll(ends + timedelta(hours=1))
        await reader.store.aclose()

    async def take() -> None:
        reader = await EventReader.start(path, at=begins, addresses=addresses)
        await reader.take(rows)
        await reader.end(ends + timedelta(hours=1))
        await reader.store.aclose()

    asyncio.run(read() if source == "log" else take())
    return ends


def answer(
    connection: History, what: str, now: datetime, *, live: LiveState | None = None, only_domain: str | None = None
) -> Answer:
    """The answer at that time, from the trail alone or with what the server's queue holds."""
    wanted, asked = TrailFilter(only_domain=only_domain), parse_asked(what)
    reader = TrailReader(connection, only_domain=only_domain)
    gatherer = Gatherer(reader, connection, now)
    found = find(reader, asked, wanted, now)
    if found.is_empty:
        return tell_nothing(reader, asked, wanted, Coverage(), now)
    traffic = gatherer.traffic(found)
    if traffic.standings:
        return gatherer.about_domain(found, traffic.domain, traffic)
    if found.trail is None:
        return gatherer.about_refusal(found, found.refusals[0])
    return gatherer.about_message(found, found.trail, live or LiveState(), {})


@contextmanager
def kept(path: Path, folder: str, *names: str, source: str = "log") -> Iterator[tuple[History, datetime]]:
    """A history of some cases, open for reading, and a moment after their end."""
    ends = keep(path, folder, names, source=source)
    with reading(path) as connection:
        yield connection, ends + timedelta(seconds=2)


PRINTED = {
    "deferred": ("sub-deferred", "d@defer.test"),
    "partly-rejected": ("sub-partly-rejected", "m@reject.test"),
    "expired": ("sub-expired", "u@expire.test"),
    "junk": ("in-spam", "bob@example.test"),
    "unknown-recipient": ("in-unknown", "nobody@example.test"),
    "domain": ("sub-deferred", "defer.test"),
    "not-found": ("sub-deferred", "d@defre.test"),
}
"""The printed answers that are kept: what is asked about which case."""

WIDTH = 100


@contextmanager
def columns_wide(columns: int) -> Iterator[None]:
    """A terminal of this width."""
    before = console.width
    console.width = columns
    try:
        yield
    finally:
        console.width = before


def printed(path: Path, folder: str, title: str) -> str:
    """An answer as it is printed in a terminal that is `WIDTH` columns wide."""
    name, what = PRINTED[title]
    with kept(path, folder, name) as (connection, now), columns_wide(WIDTH), console.capture() as captured:
        show_answer(answer(connection, what, now), limit=10)
    return captured.get()


def golden(folder: str, title: str) -> Path:
    """The file of a kept answer."""
    return ROOT / "tests" / "cli" / "why" / "golden" / f"{title}-{folder}.txt"


if __name__ == "__main__":
    for one in FOLDERS:
        for title in PRINTED:
            with tempfile.TemporaryDirectory() as scratch:
                golden(one, title).write_text(printed(Path(scratch) / "h.sqlite3", one, title))
