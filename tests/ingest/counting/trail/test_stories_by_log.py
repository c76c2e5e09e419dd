"""What the trail says of mail that real servers logged."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from exporter.store.reading import reading
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.queries import list_messages, list_refusals, load_trail
from tests.support.replays.trail import FOLDERS, LogReader, log_lines, stories


def told(path: Path, folder: str, name: str) -> list[str]:
    """The messages and refusals of a story, each on a line, oldest first."""

    async def play() -> datetime:
        story = stories(folder)[name]
        begins, ends = (datetime.fromisoformat(story["log"][at]["timestamp"]) for at in (0, -1))
        reader = await LogReader.start(path, at=begins)
        await reader.poll()
        reader.file.lines += log_lines(story["log"])
        await reader.poll(ends + timedelta(seconds=1))
        await reader.poll(ends + timedelta(hours=1))
        await reader.store.aclose()
        return reader.clock.now()

    now = asyncio.run(play())
    lines = []
    with reading(path) as connection:
        for message in reversed(list_messages(connection, TrailFilter(), most=50)):
            trail = load_trail(connection, message.server, message.queue_id, now=now)
            assert trail is not None
            ends = ", ".join(f"{one.address} {one.state} {one.mailbox}".rstrip() for one in trail.recipients)
            lines.append(f"{message.kind} {message.sender}: {ends}")
        for refusal in reversed(list_refusals(connection, TrailFilter(), most=50)):
            lines.append(f"{refusal.reason} {refusal.sender}: {refusal.recipient}")
    return lines


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-delivered", ["submitted alice@example.test: u@ok.test delivered"]),
        (
            "sub-rejected-dsn",
            [
                "submitted alice@example.test: u@reject.test bounced",
                "dsn <>: alice@example.test delivered mailbox",
            ],
        ),
        ("in-spam", ["incoming someone@partner.test: bob@example.test delivered junk"]),
        ("in-relay", ["relay someone@partner.test: x@ok.test"]),
    ],
)
def test_a_story_is_told_as_it_happened(tmp_path: Path, folder: str, name: str, expected: list[str]):
    """Each recipient has its end, and nothing is said of anyone else."""
    assert told(tmp_path / "history.sqlite3", folder, name) == expected
