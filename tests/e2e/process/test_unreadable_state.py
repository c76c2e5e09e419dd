"""A saved position that cannot be read costs its server what happened meanwhile, and no other server anything."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.simulator import Profile
from tests.support.standin import after_polls, community, counting, enterprise, fleet, outcomes

DELIVERIES = ("stalwart_deliveries_total", "outcome", "reason", "code")

NOT_READABLE = [
    '{"since": 17',
    "[[]]",
    '{"recent": 5, "attempts": {}, "newest": "x", "since": [], "complete": {}}',
    '""',
]
"""Cut off, and JSON of other shapes."""


def damage(history: Path, server: str, state: str) -> int:
    """Replace every saved position of *server*; returns their number."""
    with closing(sqlite3.connect(history)) as connection, connection:
        return connection.execute("UPDATE watermark SET state = ? WHERE server = ?", (state, server)).rowcount


@pytest.mark.fault("store", "the saved positions of one server cannot be read")
@pytest.mark.parametrize("profile", [community(), enterprise()], ids=["community", "enterprise"])
@pytest.mark.parametrize("state", NOT_READABLE, ids=["cut", "list", "members", "text"])
def test_a_server_whose_positions_cannot_be_read_is_counted_anew(tmp_path: Path, profile: Profile, state: str):
    """The exporter starts, keeps every counter, reports the damage, and counts what happens from then on."""
    with fleet(tmp_path, {"mx1": profile, "mx2": profile}) as named:
        scenes, exporter = list(named.values()), named["mx1"].exporter
        counting(scenes)
        for scene in scenes:
            scene.mail("a@ok.test", "b@reject.test")
            scene.wait_shown(*DELIVERIES, wanted=outcomes(scene.server))
        assert exporter.stop() == 0
        assert damage(tmp_path / "history.sqlite3", "mx1", state) > 0

        exporter.start()
        after_polls(scenes, "logs", "traces" if profile.edition == "enterprise" else "queue")
        for scene in scenes:
            scene.mail("a@ok.test", "c@defer.test")
            scene.wait_shown(*DELIVERIES, wanted=outcomes(scene.server))

        told = [event for event in exporter.events() if event["event"] == "watermark.dropped"]
        assert {event["server"] for event in told} == {"mx1"}
        assert scenes[0].samples()["stalwart_exporter_store_errors_total", (("reason", "unreadable"),)] == len(told)
        assert not [event for event in exporter.events() if event["event"] == "task.ended"]
