"""A change of settings beside a running exporter, also over its restart; no value gets out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.simulator import StandIn, World
from exporter.simulator.world.accounts.directory import WATCHER_PERMISSIONS
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community, server_table

FAMILY = "stalwart_settings_change_timestamp_seconds"
TOKEN = "token-of-another-receiver"
READS = frozenset({"sysMtaStageRcptGet", "sysSystemSettingsGet", "sysWebHookGet", "sysWebHookQuery"})


def changes(scene: Scene) -> dict[str, float]:
    """The time of the last change by area."""
    return {area: at for (area,), at in scene.shown(FAMILY, "area").items()}


def more_recipients(world: World) -> None:
    """Somebody changes a setting."""
    world.inventory.settings["MtaStageRcpt"]["maxRecipients"] = {"match": {}, "else": "99"}


@pytest.mark.fault("server", "settings change while the exporter is away")
def test_a_change_shows_and_a_restart_does_not(tmp_path: Path) -> None:
    """Only the area that was changed moves; what changes while the exporter is away shows afterwards."""
    with StandIn(community("0.16.18")) as server:
        server.call(lambda world: world.directory.grant("watcher", WATCHER_PERMISSIONS | READS))
        server.call(lambda world: world.inventory.hooks.update({77: {"httpHeaders": {"X-Token": TOKEN}}}))
        table = server_table(
            server.url, login=None, token=server.api_key(), native=False, every=60, intervals={"settings": 1}
        )
        with Exporter(tmp_path, config=table) as exporter:
            scene = Scene(server, exporter)
            scene.wait(lambda: len(changes(scene)) == 3, lambda: f"{changes(scene)}")
            first = changes(scene)
            scene.after_polls("settings")
            server.call(more_recipients)
            scene.wait(lambda: changes(scene)["mta"] > first["mta"], lambda: f"{changes(scene)} after {first}")
            second = changes(scene)
            events = [event for event in exporter.events() if event["event"] == "settings.changed"]
            told = scene.page() + exporter.log()
        server.call(lambda world: world.inventory.hooks.update({77: {"httpHeaders": {"X-Token": TOKEN + "2"}}}))
        with Exporter(tmp_path, config=table) as exporter:
            scene = Scene(server, exporter)
            scene.wait(
                lambda: changes(scene).get("telemetry", 0) > second["telemetry"], lambda: f"{changes(scene)} {second}"
            )
            third = changes(scene)
            told += scene.page() + exporter.log()

    assert set(first) == {"mta", "system", "telemetry"}
    assert {area for area in first if first[area] != second[area]} == {"mta"}
    assert {area for area in second if second[area] != third[area]} == {"telemetry"}
    assert [event["areas"] for event in events] == [["mta"]]
    assert TOKEN not in told
    history = b"".join(path.read_bytes() for path in tmp_path.glob("history.sqlite3*"))
    assert TOKEN.encode() not in history
    assert json.dumps("maxRecipients").encode() not in history
