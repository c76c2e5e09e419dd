"""
What the trail says of mail that real servers carried, from their logs and from their events.

``told.json`` has the expected lines, by server, source and story; each was checked against what the mail's sender saw.
Remake it with ``python -m tests.ingest.counting.trail.test_stories`` and read the difference.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.replays.trail import FOLDERS, EventReader, LogReader, log_lines, stories, told

EXPECTED = Path(__file__).with_name("told.json")
SOURCES = ("log", "events")


async def by_log(path: Path, rows: list[dict[str, Any]]) -> tuple[datetime, int]:
    """Read a story's log; return the time afterwards and the number of counted outcomes."""
    begins, ends = (datetime.fromisoformat(rows[at]["timestamp"]) for at in (0, -1))
    reader = await LogReader.start(path, at=begins)
    await reader.poll()
    reader.file.lines += log_lines(rows)
    await reader.poll(ends + timedelta(seconds=1))
    await reader.poll(ends + timedelta(hours=1))
    await reader.store.aclose()
    return reader.clock.now(), sum(reader.board.tallies.family("deliveries").values())


async def by_events(path: Path, rows: list[dict[str, Any]]) -> tuple[datetime, int]:
    """Take a story's events; return the same."""
    begins, ends = (datetime.fromisoformat(rows[at]["createdAt"]) for at in (0, -1))
    reader = await EventReader.start(path, at=begins)
    await reader.take(rows)
    await reader.end(ends + timedelta(hours=1))
    await reader.store.aclose()
    return reader.clock.now(), sum(reader.board.tallies.family("deliveries").values())


def lines_of(path: Path, folder: str, source: str, name: str) -> list[str]:
    """What is told of a story."""
    rows = stories(folder)[name][source]
    if not rows:
        return []
    now, counted = asyncio.run(by_log(path, rows) if source == "log" else by_events(path, rows))
    lines = told(path, now)
    assert sum(line.count("DELIVERED ") + line.count("_FAILURE") for line in lines) == counted
    return lines


CASES = [(folder, source, name) for folder in FOLDERS for source in SOURCES for name in stories(folder)]


@pytest.mark.parametrize(("folder", "source", "name"), CASES)
def test_a_story_is_told_as_it_happened(tmp_path: Path, folder: str, source: str, name: str):
    """Each recipient has its end, what happened is in order, and nothing is said of anyone else."""
    expected = json.loads(EXPECTED.read_text())

    assert lines_of(tmp_path / "history.sqlite3", folder, source, name) == expected[folder][source][name]


def remake() -> None:
    """Write what is told now."""
    made: dict[str, dict[str, dict[str, list[str]]]] = {}
    for folder, source, name in CASES:
        with tempfile.TemporaryDirectory() as directory:
            lines = lines_of(Path(directory) / "history.sqlite3", folder, source, name)
        made.setdefault(folder, {}).setdefault(source, {})[name] = lines
    EXPECTED.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    remake()
