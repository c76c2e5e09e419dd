"""Accounts of both generations: numbers on the page, names on the command line, and a key that may not read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.simulator import StandIn, World
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community, server_table

CAPABILITY = "stalwart_exporter_capability"
QUEUE_ONLY = frozenset({"authenticate", "message-queue-list", "message-queue-get"})
HOSTILE = "\x1b[31m‮evil"
PERMISSIONS = ("sysMailingListQuery",)


def life(world: World) -> None:
    """A mailbox that is nearly full, one that is over, and one whose name is hostile."""
    add = world.directory.add_person
    add("dora", secret="dora-password", email="dora@two.test", quota=1000, used_quota=950, second_factor=True)
    add("otto", secret="otto-password", email="otto@two.test", quota=1000, used_quota=1200)
    add(HOSTILE, email=f"{HOSTILE}@example.test", quota=1000, used_quota=1)
    add("team", kind="list")


def grant(world: World) -> None:
    """The key may read accounts."""
    account = world.directory.accounts["watcher"]
    held = frozenset({*(account.permissions or ()), *PERMISSIONS})
    world.directory.accounts["watcher"] = replace(account, permissions=held)


@pytest.fixture(params=["0.15.5", "0.16.18"], scope="module")
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A server whose key may read accounts, and an exporter that reads them every second."""
    with StandIn(community(request.param)) as server:
        server.call(life)
        server.call(grant)
        jmap = request.param.startswith("0.16")
        login = {"login": None, "token": server.api_key()} if jmap else {}
        table = server_table(server.url, native=False, every=60, intervals={"accounts": 1}, **login)
        with Exporter(tmp_path_factory.mktemp("accounts"), config=table) as exporter:
            scene = Scene(server, exporter)
            scene.wait_for(CAPABILITY, 1, capability="accounts", status="available")
            yield scene


def command(scene: Scene, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a command with the exporter's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STALWART_EXPORTER_")}
    line = [sys.executable, "-m", "exporter", *arguments, "--config", str(scene.exporter.config_path)]
    return subprocess.run(line, env=kept, capture_output=True, timeout=120, check=False)


def test_numbers_are_shown_and_no_name(scene: Scene) -> None:
    """By kind, threshold and domain; neither page nor log has a name, an address or a secret."""
    scene.wait_shown("stalwart_quota_accounts", "threshold", wanted={("0.8",): 2, ("0.9",): 2, ("1",): 1})
    page, log = scene.page(), json.dumps(list(scene.exporter.events()))

    assert scene.shown("stalwart_accounts", "type")[("list",)] == 1
    assert scene.shown("stalwart_account_quota_bytes", "domain") == {("two.test",): 2000, ("example.test",): 1000}
    assert scene.shown("stalwart_account_used_bytes", "domain", "quota")[("two.test", "limited")] == 2150
    features = scene.shown("stalwart_account_features", "feature")
    jmap = scene.server.call(lambda world: world.profile.jmap)
    assert features.get(("second_factor",)) == (1 if jmap else None)
    assert not [word for word in ("dora", "otto", "evil", "password-", "-password", "alice") if word in page + log]


def test_a_second_walk_shows_what_has_changed(scene: Scene) -> None:
    """And the old number is gone."""
    scene.wait_shown("stalwart_quota_accounts", "threshold", wanted={("0.8",): 2, ("0.9",): 2, ("1",): 1})
    scene.server.call(lambda world: setattr(world.directory.accounts["dora"], "used_quota", 1000))
    scene.wait_shown("stalwart_quota_accounts", "threshold", wanted={("0.8",): 2, ("0.9",): 2, ("1",): 2})
    scene.server.call(lambda world: setattr(world.directory.accounts["dora"], "used_quota", 950))
    scene.wait_shown("stalwart_quota_accounts", "threshold", wanted={("0.8",): 2, ("0.9",): 2, ("1",): 1})


def test_the_command_names_the_fullest_first(scene: Scene) -> None:
    """As a table and as JSON, filtered by share and domain, with a status of its own for nothing."""
    listed = command(scene, "accounts", "quota")
    rows = json.loads(command(scene, "accounts", "quota", "--json", "--at-least", "0.9").stdout)
    nothing = command(scene, "accounts", "quota", "--domain", "elsewhere.test")
    jmap = scene.server.call(lambda world: world.profile.jmap)

    assert listed.returncode == 0
    assert [row["address"] for row in rows] == ["otto@two.test", "dora@two.test"]
    assert rows[1]["account"] == ("dora@two.test" if jmap else "dora")
    assert (rows[1]["used_bytes"], rows[1]["quota_bytes"], rows[1]["server"]) == (950, 1000, "mx1")
    assert b"\x1b[31m" not in listed.stdout
    assert "‮".encode() not in listed.stdout
    assert b"95.0 %" in listed.stdout
    assert (nothing.returncode, nothing.stdout) == (3, b"")
    assert command(scene, "accounts", "quota", "--at-least", "2").returncode == 2


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
@pytest.mark.fault("credentials", "the key may not read accounts")
def test_a_key_without_the_permission_is_told_so_and_nothing_fails(version: str, tmp_path: Path) -> None:
    """The capability is `forbidden` and nothing fails; up to v0.15 `doctor` warns of the permission instead."""
    with StandIn(community(version)) as server:
        jmap = version.startswith("0.16")
        server.call(lambda world: world.directory.grant("watcher", QUEUE_ONLY))
        login = {"login": None, "token": server.api_key()} if jmap else {}
        table = server_table(server.url, native=False, every=60, intervals={"accounts": 1, "queue": 1}, **login)
        with Exporter(tmp_path, config=table) as exporter:
            scene = Scene(server, exporter)
            scene.wait_for(CAPABILITY, 1, capability="accounts", status="forbidden")
            scene.after_polls("queue")
            asked = [request for request in server.requests if "individual" in request.target]
            names = {name for name, labels in scene.samples() if ("collector", "accounts") in labels}
            [finding] = json.loads(command(scene, "doctor", "--listen", "0", "--json").stdout)
            refused = command(scene, "accounts", "quota")

    assert "stalwart_exporter_collector_success" not in names
    assert len(asked) == (0 if jmap else 1)
    assert finding["capabilities"]["accounts"] == "forbidden"
    assert ("password hash" in finding["meanings"]["accounts"]) is not jmap
    assert "individual-list" not in finding["missing_permissions"]
    assert ("sysAccountGet" in finding["missing_permissions"]) is jmap
    assert refused.returncode == 2
    assert refused.stdout == b""
