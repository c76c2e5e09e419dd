"""States that an earlier version of the exporter has saved are read by this one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.store.store import Store
from tests.support.standin import COLLECTORS, community, counting, enterprise, fleet, outcomes

STATES = Path(__file__).with_name("states-by-our-clock.json")
"""What was saved before the exporter followed the servers' clocks."""

SERVERS = {"rest": enterprise("0.15.5"), "jmap": enterprise("0.16.18"), "comm": community("0.15.5")}


def write_history(path: Path) -> None:
    """Make a history file that holds the states of the earlier version."""

    async def make() -> None:
        await (await Store.open(path, now=datetime.now(UTC))).aclose()

    asyncio.run(make())
    rows = [(server, source, json.dumps(state)) for server, source, state in json.loads(STATES.read_text())]
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany("INSERT INTO watermark (server, source, state) VALUES (?, ?, ?)", rows)
    connection.close()


@pytest.mark.fault("process", "an upgrade finds states of an earlier version")
def test_the_states_of_an_earlier_version_are_read(tmp_path: Path):
    """Every collector goes on, and counts what happens from then on."""
    write_history(tmp_path / "history.sqlite3")
    with fleet(tmp_path, SERVERS, streams="auto") as scenes:
        counting(scenes.values())
        for scene in scenes.values():
            scene.mail("a@ok.test", "b@defer.test", "c@reject.test", times=3)

        for scene in scenes.values():
            scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=outcomes(scene.server))
            assert {name: scene.failures(name, "internal") for name in COLLECTORS} == dict.fromkeys(COLLECTORS, 0)
