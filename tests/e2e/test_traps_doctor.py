"""`doctor`: asks each server once and says what the key lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from exporter.simulator import StandIn
from exporter.simulator.directory import WATCHER_PERMISSIONS
from tests.support.standin import VERSIONS, community, enterprise, server_table

LACKING = ("incoming-report-get", "tracing-get")
COMMUNITY_LACKS = ("incoming-report-get", "logs-view")


def doctor(directory: Path, tables: Iterable[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    config = directory / "config.toml"
    config.write_text("".join(tables))
    config.chmod(0o600)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STALWART_EXPORTER_")}
    environ["COLUMNS"] = "200"
    command = [sys.executable, "-m", "exporter", "doctor", "--config", str(config), *arguments]
    return subprocess.run(command, env=environ, text=True, capture_output=True, timeout=120, check=False)


def findings(ended: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What `--json` says, by server."""
    return {finding["server"]: finding for finding in json.loads(ended.stdout)}


def test_it_names_exactly_the_permissions_that_are_missing(tmp_path: Path):
    """Two that the key lacks are named, for each edition and shape, and none that nothing there needs."""
    lacking = {"enterprise": LACKING, "community": COMMUNITY_LACKS}
    with ExitStack() as stack:
        servers = {
            f"{profile.edition}-{profile.version}": stack.enter_context(StandIn(profile))
            for profile in (make(version) for version in VERSIONS for make in (enterprise, community))
        }
        for name, server in servers.items():
            granted = WATCHER_PERMISSIONS - set(lacking[name.partition("-")[0]])
            server.call(lambda world, granted=granted: world.directory.grant("watcher", granted))  # type: ignore[misc]

        ended = doctor(tmp_path, [server_table(server.url, name=name) for name, server in servers.items()], "--json")

        assert ended.returncode == 3, ended.stderr
        for name, found in findings(ended).items():
            edition = name.partition("-")[0]
            assert sorted(found["missing_permissions"]) == sorted(lacking[edition]), name
            assert found["edition"] == edition
            assert found["capabilities"]["queue"] == "available"
            assert servers[name].harm_done == []
            refusals = [request.target for request in servers[name].requests if request.status == 403]
            assert len(refusals) == len(lacking[edition]), refusals


def test_it_tells_people_how_to_grant_them(tmp_path: Path):
    """The table for people holds the change that an administrator makes."""
    with StandIn(enterprise()) as server:
        server.call(lambda world: world.directory.grant("watcher", WATCHER_PERMISSIONS - set(LACKING)))

        ended = doctor(tmp_path, [server_table(server.url)])

        assert ended.returncode == 3
        for permission in LACKING:
            assert f'"value": "{permission}"' in ended.stdout
        assert "logs-view" not in ended.stdout


def test_a_key_that_lacks_nothing_is_all_well(tmp_path: Path):
    """Status 0, no permission named, and a whole secret nowhere in the output."""
    with StandIn(enterprise()) as server:
        ended = doctor(tmp_path, [server_table(server.url)], "--json")

        assert ended.returncode == 0, ended.stdout
        assert findings(ended)["mx1"]["missing_permissions"] == []
        assert "secret" not in ended.stdout + ended.stderr


def test_a_wrong_password_is_sent_once_and_told(tmp_path: Path):
    """Status 1, the trouble in words, one request with the credentials."""
    with StandIn(community()) as server:
        ended = doctor(tmp_path, [server_table(server.url, login=("watcher", "wrong"))], "--json")

        assert ended.returncode == 1
        assert "refused our credentials" in findings(ended)["mx1"]["trouble"]
        assert [r.status for r in server.requests if r.path.startswith("/api/") and r.scheme != "none"] == [401]


def test_a_ban_is_named(tmp_path: Path):
    """A server that closes before it answers has perhaps banned our address; it says so."""
    with StandIn(community(exempt_loopback=False)) as server:
        server.call(lambda world: world.ban("127.0.0.1"))

        ended = doctor(tmp_path, [server_table(server.url)], "--json")

        assert ended.returncode == 1
        assert "banned" in findings(ended)["mx1"]["trouble"]
        assert "server.blocked-ip" in findings(ended)["mx1"]["trouble"]
