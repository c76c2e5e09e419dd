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

import pytest

from exporter.simulator import StandIn
from exporter.simulator.harness.faults import FaultKind
from exporter.simulator.world.accounts.api_keys import api_key
from exporter.simulator.world.accounts.directory import WATCHER_PERMISSIONS
from tests.support.standin import NATIVE, VERSIONS, community, enterprise, server_table

LACKING = ("incoming-report-get", "tracing-get")
COMMUNITY_LACKS = ("incoming-report-get", "logs-view")


def doctor(directory: Path, tables: Iterable[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    config = directory / "config.toml"
    config.write_text("".join(tables))
    config.chmod(0o600)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STALWART_EXPORTER_")}
    environ |= {"COLUMNS": "200", "STALWART_EXPORTER_CHECKS__ENABLED": "false"}
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


def test_known_defects_of_the_release_are_named(tmp_path: Path):
    """The version is read from the log; what takes a set-up says which; and the status is that of no problem."""
    with StandIn(community(REST)) as old, StandIn(community(JMAP)) as new:
        tables = [table_of(old, REST, name="old"), table_of(new, JMAP, name="new")]
        ended = doctor(tmp_path, tables, "--json", "--listen", "0")
        shown = doctor(tmp_path, tables, "--listen", "0").stdout

    found = findings(ended)
    assert ended.returncode == 0, ended.stdout
    assert [line.partition(":")[0] for line in found["old"]["defects"]] == [
        "queue_resume",
        "retry_ignored",
        "webhook_event_ids",
    ]
    assert "Only if another receiver" in found["old"]["defects"][-1]
    assert (found["old"]["version"], found["new"]["version"], found["new"]["defects"]) == (REST, JMAP, [])
    assert "known defect: queue_resume" in shown
    assert "0.16.13" in shown


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
        assert "refused the credentials" in findings(ended)["mx1"]["trouble"]
        assert [r.status for r in server.requests if r.path.startswith("/api/") and r.scheme != "none"] == [401]


def test_a_ban_is_named(tmp_path: Path):
    """A server that closes before it answers has perhaps banned our address; it says so."""
    with StandIn(community(exempt_loopback=False)) as server:
        server.call(lambda world: world.ban("127.0.0.1"))

        ended = doctor(tmp_path, [server_table(server.url)], "--json")

        assert ended.returncode == 1
        assert "banned" in findings(ended)["mx1"]["trouble"]
        assert "server.blocked-ip" in findings(ended)["mx1"]["trouble"]


REST, JMAP = "0.15.5", "0.16.18"
GENERATIONS = pytest.mark.parametrize("version", [REST, JMAP], ids=["rest", "jmap"])


def table_of(server: StandIn, version: str, key: str = "watcher", **settings: Any) -> str:
    """The settings of a server that is watched with an API key."""
    if version == REST:
        return server_table(server.url, login=(key, f"lab-{key}-secret"), **settings)
    token = server.call(lambda world: api_key(world.directory.accounts[key]))
    return server_table(server.url, login=None, token=token, **settings)


def granted(server: StandIn, permissions: Iterable[str], key: str = "watcher") -> None:
    """The key holds these and no others."""
    server.call(lambda world: world.directory.grant(key, frozenset(permissions)))


@GENERATIONS
@pytest.mark.fault("credentials", "the key lacks the permission to log in")
def test_a_key_that_may_not_log_in_lacks_that_permission_and_no_other_is_guessed(tmp_path: Path, version: str):
    """`doctor` names only `authenticate`, reports the edition as unknown and sends nothing more."""
    with StandIn(community(version)) as server:
        granted(server, WATCHER_PERMISSIONS - {"authenticate"})
        table = table_of(server, version)

        told = doctor(tmp_path, [table], "--json")
        shown = doctor(tmp_path, [table])

        found = findings(told)["mx1"]
        assert (told.returncode, shown.returncode) == (3, 3)
        assert found["missing_permissions"] == ["authenticate"]
        assert found["edition"] == "unknown"
        assert found["capabilities"] == {"native_metrics": "available"}
        assert shown.stdout.count("PATCH /api/principal/watcher") == (1 if version == REST else 0)
        assert "refuses every request of the key" in shown.stdout
        assert len([r for r in server.requests if r.status == 403]) <= 2 * 3


@pytest.mark.parametrize("version", VERSIONS)
def test_a_community_server_is_one_whatever_the_key_lacks(tmp_path: Path, version: str):
    """A key that may log in and nothing else is offered no permission for what only the other edition has."""
    with StandIn(community(version)) as server:
        granted(server, {"authenticate"})

        ended = doctor(tmp_path, [table_of(server, REST)], "--json")

        found = findings(ended)["mx1"]
        assert found["edition"] == "community"
        assert "authenticate" not in found["missing_permissions"]
        assert not [name for name in found["missing_permissions"] if name.startswith(("metrics", "tracing"))]


@GENERATIONS
def test_a_narrow_key_is_told_what_it_lacks_and_not_what_it_holds(tmp_path: Path, version: str):
    """In the table for people as well, capability by capability."""
    held = {REST: ("message-queue-list", "tracing-list"), JMAP: ("sysQueuedMessageQuery", "sysTraceQuery")}[version]
    lacks = {REST: ("message-queue-get", "tracing-get"), JMAP: ("sysQueuedMessageGet", "sysTraceGet")}[version]
    with StandIn(enterprise(version)) as server:
        granted(server, {"authenticate", "message-queue-list", "tracing-list"}, key="narrow")
        table = table_of(server, version, "narrow")

        told = doctor(tmp_path, [table], "--json")
        shown = doctor(tmp_path, [table])

        assert told.returncode == 3
        assert not {*held, "authenticate"} & set(findings(told)["mx1"]["missing_permissions"])
        assert {*lacks} <= set(findings(told)["mx1"]["missing_permissions"])
        assert not [name for name in (*held, "authenticate") if name in shown.stdout]
        assert all(name in shown.stdout for name in lacks)


@GENERATIONS
@pytest.mark.fault("server", "the directory of the server's log is missing")
def test_a_log_that_cannot_be_read_is_that_parts_trouble_alone(tmp_path: Path, version: str):
    """`doctor` reports everything else, and its advice names the directory."""
    with StandIn(community(version, log_directory_missing=True)) as server:
        table = table_of(server, version)

        told = doctor(tmp_path, [table], "--json")
        shown = doctor(tmp_path, [table])

        found = findings(told)["mx1"]
        assert (told.returncode, found["trouble"], found["missing_permissions"]) == (1, "", [])
        assert found["capabilities"]["logs"] == "failed"
        assert {name for name, status in found["capabilities"].items() if status == "available"} >= {"queue", "reports"}
        assert "Does the directory of the server's log tracer exist" in shown.stdout
        assert found["edition"] == "community"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(FaultKind.STATUS, {"status": 500}), (FaultKind.CLOSE, {}), (FaultKind.HTML, {"status": 200, "body": "<html>"})],
)
def test_one_part_that_fails_does_not_hide_the_others(tmp_path: Path, kind: FaultKind, settings: dict[str, Any]):
    """Its own line says what went wrong; status 1."""
    with StandIn(enterprise()) as server:
        server.faults.add(kind, "/api/queue/reports", **settings)

        ended = doctor(tmp_path, [table_of(server, REST)], "--json", "--listen", "0")

        found = findings(ended)["mx1"]
        assert (ended.returncode, found["trouble"]) == (1, "")
        assert [name for name, status in found["capabilities"].items() if status != "available"] == ["outgoing_reports"]
        assert found["meanings"]["outgoing_reports"].startswith("outgoing_reports: ")


@GENERATIONS
def test_an_administrators_password_is_warned_about(tmp_path: Path, version: str):
    """All is well with it, and it can change the server."""
    with StandIn(community(version)) as server:
        table = server_table(server.url, login=("admin", "lab-admin-secret"))

        told = doctor(tmp_path, [table], "--json")
        shown = doctor(tmp_path, [table])

        assert (told.returncode, findings(told)["mx1"]["missing_permissions"]) == (0, [])
        assert "This login can change the server" in findings(told)["mx1"]["warnings"][0]
        assert "This login can change the server" in shown.stdout
        assert "lab-admin-secret" not in shown.stdout + told.stdout


@GENERATIONS
def test_a_key_that_only_reads_is_not_warned_about(tmp_path: Path, version: str):
    """The watcher of the documentation."""
    with StandIn(community(version)) as server:
        ended = doctor(tmp_path, [table_of(server, version)], "--json")

        assert (ended.returncode, findings(ended)["mx1"]["warnings"]) == (0, [])


@GENERATIONS
@pytest.mark.parametrize(
    ("login", "status", "words"),
    [
        (("prometheus", "wrong"), 1, "The server refuses native_username and its password"),
        (None, 0, "set native_username and native_password_file"),
        (NATIVE, 0, None),
    ],
    ids=["wrong", "none", "right"],
)
def test_the_login_of_the_metrics_page_is_judged(
    tmp_path: Path, version: str, login: tuple[str, str] | None, status: int, words: str | None
):
    """A wrong one is not to be set again, and one that is missing is to be set."""
    with StandIn(community(version)) as server:
        page = {} if login is None else {"native_username": login[0], "native_password": login[1]}

        ended = doctor(tmp_path, [table_of(server, version, native=False, **page)], "--json")

        found = findings(ended)["mx1"]
        assert (ended.returncode, found["trouble"]) == (status, "")
        assert found["capabilities"]["native_metrics"] == ("available" if words is None else "forbidden")
        assert (words or "") in found["meanings"].get("native_metrics", "")
        assert ("set native" in found["meanings"].get("native_metrics", "")) == (login is None)
