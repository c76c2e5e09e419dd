"""The process: how it starts, reloads and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.exporter import wait_until
from tests.support.ports import reserve_port
from tests.support.standin import Scene, community, counting, outcomes, reloads, server_table, watching

DELIVERIES = "stalwart_deliveries_total"
RELOAD_OK = "stalwart_exporter_config_last_reload_successful"


def run(config: Path, port: int) -> subprocess.CompletedProcess[str]:
    """`stalwart-exporter run` in the directory of *config*, as far as it comes."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STALWART_EXPORTER_")}
    environ |= {
        "STALWART_EXPORTER_LISTEN": f"127.0.0.1:{port}",
        "STALWART_EXPORTER_STORE_PATH": str(config.with_name("history.sqlite3")),
    }
    command = [str(Path(sys.executable).with_name("stalwart-exporter")), "run", "--config", str(config)]
    directory = config.parent
    return subprocess.run(command, env=environ, cwd=directory, text=True, capture_output=True, timeout=60, check=False)


@pytest.mark.fault("process", "SIGTERM")
def test_it_ends_on_sigterm_with_everything_on_disk(tmp_path: Path):
    """The exporter exits with 0 without waiting for a hanging server; exported values survive."""
    with watching(tmp_path, community(), request_timeout=100, read_timeout=100) as scene:
        counting([scene])
        scene.mail("a@ok.test", "b@reject.test", times=20)
        scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=outcomes(scene.server))
        scene.server.hang()
        wait_until(lambda: scene.server.requests[-1].status is None, what="a request is under way")

        assert scene.exporter.stop() == 0
        assert scene.exporter.events()[-1]["event"] == "exporter.stopped"

        scene.exporter.start()
        shown = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        assert shown == outcomes(scene.server)
        scene.server.resume()


@pytest.mark.fault("process", "the port is taken")
def test_a_taken_port_is_one_clear_line_and_status_1(tmp_path: Path):
    """The exporter exits with 1 and one log line, without a traceback."""
    config = tmp_path / "config.toml"
    config.write_text(server_table("http://127.0.0.1:1"))
    config.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = run(config, port)

    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "the port is in use" in line


def test_files_in_the_current_directory_are_not_imported(tmp_path: Path):
    """Whoever can write where the exporter is started from does not run code in it."""
    config = tmp_path / "config.toml"
    config.write_text(server_table("http://127.0.0.1:1"))
    config.chmod(0o600)
    for name in ("exporter", "httpx", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(config, taken.getsockname()[1])

    assert ended.returncode == 1, ended.stderr


@pytest.mark.fault("configuration", "invalid settings")
def test_bad_settings_are_all_told_at_once_and_status_2(tmp_path: Path):
    """Every problem is reported at once with its path, without a traceback."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[web]\nlisten = "nowhere"\n[store]\nretention = "soon"\n'
        '[[servers]]\nurl = "ftp://mx.example.org"\nqeue = 1\n[servers.intervals]\nqueue = "1ms"\n'
    )

    ended = run(config, reserve_port())

    assert ended.returncode == 2
    for path in ("store.retention", "servers[0].url", "servers[0].qeue", "servers[0].intervals.queue"):
        assert path in ended.stderr
    assert "credentials" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A community server, watched."""
    with watching(tmp_path_factory.mktemp("running"), community()) as scene:
        counting([scene])
        yield scene


@pytest.mark.fault("store", "a second daemon on the same history")
def test_a_second_daemon_on_the_same_history_does_not_start(running: Scene):
    """The second one exits and logs that the file is in use."""
    ended = run(running.exporter.config_path, reserve_port())

    assert ended.returncode == 1
    assert "in use by another" in ended.stderr


@pytest.mark.fault("configuration", "a reload with a bad file")
def test_a_bad_file_leaves_the_old_one_in_force(running: Scene):
    """Metric and log report the failed reload, nothing is lost, and the next reload works."""
    config = running.exporter.config_path
    good = config.read_text()
    running.mail("a@ok.test", times=3)
    running.wait_for(DELIVERIES, 3, outcome="delivered", reason="", code="250")

    for bad in ("not toml at all [", f"{good}[web]\nlissen = 7\n", ""):
        config.write_text(bad)
        running.reload()
        assert reloads(running.exporter)[-1]["event"] == "exporter.reload_failed"
        running.wait(lambda: running.samples()[RELOAD_OK, ()] == 0, lambda: f"{RELOAD_OK} is not 0")
    running.mail("a@ok.test")
    running.wait_for(DELIVERIES, 4, outcome="delivered", reason="", code="250")

    config.write_text(good)
    running.reload()
    running.wait(lambda: running.samples()[RELOAD_OK, ()] == 1, lambda: f"{RELOAD_OK} is not 1")
    assert running.value(DELIVERIES, outcome="delivered", reason="", code="250") == 4


def test_a_reload_says_what_takes_a_restart_and_changes_the_log_at_once(running: Scene):
    """A setting of the port is not taken for applied; the log's level is."""
    config = running.exporter.config_path
    good = config.read_text()

    config.write_text(f"{good}[web]\nstatus_page = false\n")
    running.reload()
    assert reloads(running.exporter)[-1]["problems"] == ["web.status_page: takes effect only after a restart"]
    config.write_text(f'{good}[log]\nlevel = "error"\n')
    running.exporter.signal(signal.SIGHUP)
    running.wait(lambda: running.samples()[RELOAD_OK, ()] == 1, lambda: f"{RELOAD_OK} is not 1")
    lines = len(running.exporter.events())
    running.server.faults.add("body", "/api/queue/messages", status=500, body="no")
    failures = running.failures("queue", "server_error")
    running.wait(lambda: running.failures("queue", "server_error") > failures, lambda: "no poll has failed")
    assert len(running.exporter.events()) == lines

    running.server.faults.clear()
    config.write_text(good)
    running.reload()


@pytest.mark.fault("configuration", "a reload adds and removes servers")
def test_a_reload_adds_and_removes_servers_and_disturbs_no_other(running: Scene):
    """New servers are watched, removed ones disappear, and the others keep their counters."""
    config = running.exporter.config_path
    good = config.read_text()
    before = running.shown(DELIVERIES, "outcome", "reason", "code")
    with StandIn(community()) as second:
        config.write_text(good + server_table(second.url, name="mx2"))
        running.reload()
        Scene(second, running.exporter, "mx2").wait_for("stalwart_up", 1)

        config.write_text(good)
        running.reload()
        running.wait(lambda: 'server="mx2"' not in running.page(), lambda: "a server that was taken out is still shown")

    assert running.shown(DELIVERIES, "outcome", "reason", "code") == before
