"""The history file in trouble around the running process: locked by another, shared by two, too large numbers."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.commands import command_line, environment
from tests.support.disks import locked
from tests.support.exporter import START_SECONDS, Exporter, wait_until
from tests.support.standin import (
    Scene,
    after_polls,
    community,
    counting,
    outcomes,
    server_table,
    watching,
)

DELIVERIES = "stalwart_deliveries_total"
NATIVE_PAGE = "/metrics/prometheus"


@pytest.mark.fault("store", "SIGTERM while another program has the history of five servers locked")
def test_it_ends_in_time_while_the_history_is_locked(tmp_path: Path):
    """The exporter exits with 0 in bounded time and logs the unsaved counts once per server."""
    with ExitStack() as stack:
        servers = {f"mx{number}": stack.enter_context(StandIn(community())) for number in range(5)}
        config = "".join(server_table(server.url, name=name) for name, server in servers.items())
        exporter = stack.enter_context(Exporter(tmp_path, config=config))
        scenes = [Scene(server, exporter, name) for name, server in servers.items()]
        counting(scenes)
        with locked(tmp_path / "history.sqlite3"):
            for scene in scenes:
                scene.mail("a@ok.test", times=2)
            wait_until(lambda: "ledger.save_failed" in exporter.log(), what="a write has failed", seconds=60)
            exporter.wait_for("stalwart_exporter_store_errors_total", lambda n: n >= 3, reason="locked", seconds=90)

            # `stop` waits three times as long before it kills: this machine may be busy with other things.
            assert exporter.stop() == 0
        told = [e["server"] for e in exporter.events() if e["event"] == "ledger.save_failed"]
        assert len(told) == len(set(told))


ROWS_CHECKED_FOR_MINUTES = 300_000


def add_slow_check(history: Path) -> None:
    """Make the check of *history* at start take minutes, as that of a file of many gigabytes does."""
    with closing(sqlite3.connect(history, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE slow (id INTEGER PRIMARY KEY, CHECK (length(hex(zeroblob(1000000))) > 0))")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO slow SELECT i FROM n",
            (ROWS_CHECKED_FOR_MINUTES,),
        )


def checking(directory: Path, config: Path) -> subprocess.Popen[bytes]:
    """Start an exporter; return once it checks its history."""
    history = directory / "history.sqlite3"
    with (directory / "exporter.log").open("ab") as log:
        process = subprocess.Popen(
            command_line("run", "--config", str(config)), env=environment(directory, {}), stdout=log, stderr=log
        )
    wait_until(history.with_name(f"{history.name}-wal").exists, what="the history is open", seconds=START_SECONDS)
    return process


@pytest.mark.fault("store", "SIGTERM while a large history is checked at start")
@pytest.mark.parametrize("before", [[], [signal.SIGHUP]], ids=["alone", "after SIGHUP"])
def test_it_ends_while_it_checks_a_large_history(tmp_path: Path, before: list[signal.Signals]):
    """The exporter exits with 0 at once, and the next start finds every count."""
    history = tmp_path / "history.sqlite3"
    with watching(tmp_path, community()) as scene:
        counting([scene])
        scene.mail("a@ok.test", "b@reject.test")
        scene.wait_shown(DELIVERIES, "outcome", "reason", "code", wanted=outcomes(scene.server))
        assert scene.exporter.stop() == 0
        add_slow_check(history)

        process = checking(tmp_path, scene.exporter.config_path)
        try:
            for number in (*before, signal.SIGTERM):
                process.send_signal(number)
            status = process.wait(START_SECONDS)
        finally:
            process.kill()
            process.wait()

        assert status == 0, scene.exporter.log()
        assert scene.exporter.events()[-1]["event"] == "exporter.stopped"
        assert not list(tmp_path.glob("*.corrupt-*"))
        with closing(sqlite3.connect(history)) as connection:
            connection.execute("DROP TABLE slow")
        scene.exporter.start()
        assert scene.shown(DELIVERIES, "outcome", "reason", "code") == outcomes(scene.server)


@pytest.mark.fault("store", "SIGTERM right after another program had the history locked")
def test_what_could_not_be_saved_before_is_saved_at_the_end(tmp_path: Path):
    """Counts that could not be saved during the lock are on disk after the exit."""
    with watching(tmp_path, community()) as scene:
        counting([scene])
        with locked(tmp_path / "history.sqlite3"):
            scene.mail("a@ok.test", "b@reject.test", times=4)
            scene.wait_shown(DELIVERIES, "outcome", "reason", "code", wanted=outcomes(scene.server))
        happened = sum(outcomes(scene.server).values())
        assert scene.exporter.stop() == 0

    with closing(sqlite3.connect(tmp_path / "history.sqlite3")) as history:
        (saved,) = history.execute("SELECT sum(value) FROM tally WHERE name = 'deliveries'").fetchone()
    assert saved == happened


def linked_symbolically(history: Path, other: Path) -> Path:
    other.symlink_to(history)
    return other


def linked_hard(history: Path, other: Path) -> Path:
    other.hardlink_to(history)
    return other


def in_a_linked_directory(history: Path, other: Path) -> Path:
    other.symlink_to(history.parent, target_is_directory=True)
    return other / history.name


def relative(history: Path, other: Path) -> Path:
    return Path(os.path.relpath(history, other.parent))


NAMES = [linked_symbolically, linked_hard, in_a_linked_directory, relative]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A community server, watched."""
    with watching(tmp_path_factory.mktemp("running"), community()) as scene:
        counting([scene])
        yield scene


@pytest.mark.fault("store", "a second daemon starts with another name of the same history")
@pytest.mark.parametrize("name", NAMES)
def test_a_second_daemon_does_not_start_under_another_name_of_the_file(
    running: Scene, tmp_path: Path, name: Callable[[Path, Path], Path]
):
    """It exits with 1, for a link, a linked directory and a relative path."""
    history = running.exporter.directory / "history.sqlite3"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STALWART_EXPORTER_")} | {
        "STALWART_EXPORTER_LISTEN": "127.0.0.1:0",
        "STALWART_EXPORTER_STORE_PATH": str(name(history, tmp_path / "other")),
    }
    command = [sys.executable, "-m", "exporter", "run", "--config", str(running.exporter.config_path)]

    ended = subprocess.run(command, env=environ, cwd=tmp_path, text=True, capture_output=True, timeout=120, check=False)

    assert ended.returncode == 1, ended.stderr
    assert "in use by another" in ended.stderr
    assert "Traceback" not in ended.stderr
    after_polls([running], "logs")
    assert running.samples()["stalwart_exporter_store_success", ()] == 1


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_history_is_its_owners_alone(tmp_path: Path):
    """Whatever the umask: the directory 0700, the file and what SQLite puts beside it 0600; an older file, too."""
    folder = tmp_path / "new" / "folder"
    history = folder / "history.sqlite3"
    before = os.umask(0o022)
    try:
        with StandIn(community()) as server:
            config = server_table(server.url)
            environ = {"STALWART_EXPORTER_STORE_PATH": str(history)}
            with Exporter(tmp_path, config=config, environ=environ) as exporter:
                counting([Scene(server, exporter)])
                files = {path.name: mode(path) for path in folder.iterdir()}
            assert mode(folder) == 0o700
            assert len(files) == 4
            assert set(files.values()) == {0o600}, files

            history.chmod(0o644)
            with Exporter(tmp_path, config=config, environ=environ):
                assert mode(history) == 0o600
    finally:
        os.umask(before)


def page_with(value: int) -> str:
    return f"# HELP auth_failed Failed.\n# TYPE auth_failed counter\nauth_failed {value}\n"


@pytest.mark.fault("server", "a total on the server's own metrics page has 64 bits or more")
def test_totals_of_64_bits_are_kept_exactly_and_larger_ones_are_a_payload_error(tmp_path: Path):
    """Totals from 2^63 on are saved exactly, over a restart as well; 2^64 and more is a payload error."""
    exact = 2**63 + 11
    with watching(tmp_path, community()) as scene:
        scene.server.faults.add("body", NATIVE_PAGE, body=page_with(exact), content_type="text/plain")
        scene.wait(lambda: f'event="auth.failed"}} {exact}\n' in scene.page(), lambda: "the total is not shown")
        assert scene.exporter.stop() == 0
        scene.exporter.start()
        assert f'event="auth.failed"}} {exact}\n' in scene.page()
        assert scene.failures("native", "internal") == 0

        scene.server.faults.clear()
        scene.server.faults.add("body", NATIVE_PAGE, body=page_with(2**64), content_type="text/plain")
        scene.wait(lambda: scene.failures("native", "payload") > 0, lambda: "no payload error")
        assert f'event="auth.failed"}} {exact}\n' in scene.page()
