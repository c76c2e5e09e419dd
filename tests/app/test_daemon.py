"""The daemon in one process: what signals do while it starts, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from structlog.testing import capture_logs

from exporter.app.daemon import Daemon
from exporter.settings import Settings
from exporter.store.reading import reading
from exporter.store.steps.steps import load_steps
from tests.support.listener.app import until
from tests.support.servers.raw import run


def settings_in(directory: Path) -> Settings:
    """One server that is away, and a port that the system chooses."""
    return Settings.model_validate(
        {
            "web": {"listen": "127.0.0.1:0"},
            "store": {"path": directory / "history.sqlite3"},
            "servers": [{"name": "mx1", "url": "http://127.0.0.1:1", "token": "secret-token"}],
        }
    )


def test_sighup_while_it_starts_is_a_reload_once_it_has_started(tmp_path: Path):
    """The signal neither ends the process nor is it lost."""
    settings = settings_in(tmp_path)

    async def scenario() -> None:
        loop, loaded = asyncio.get_running_loop(), asyncio.Event()

        def load() -> Settings:
            loop.call_soon_threadsafe(loaded.set)
            return settings

        daemon = Daemon(settings, load=load)
        running = asyncio.create_task(daemon.run())
        await asyncio.sleep(0)  # It handles signals from its first step on.
        os.kill(os.getpid(), signal.SIGHUP)
        await loaded.wait()
        daemon.stop()
        await running

    with capture_logs() as logs:
        run(scenario())

    events = [log["event"] for log in logs if log["event"].startswith("exporter.")]
    assert events[0] == "exporter.started"
    assert events[-1] == "exporter.stopped"
    assert "exporter.reload_failed" not in events


def test_a_stop_as_soon_as_it_serves_leaves_no_task_behind(tmp_path: Path):
    """It ends as after a long life, with the history closed and ready for the next start."""
    settings = settings_in(tmp_path)

    async def life() -> None:
        daemon = Daemon(settings, load=lambda: settings, on_ready=lambda _: daemon.stop())
        await daemon.run()

    async def scenario() -> set[str]:
        await life()
        await life()
        return {task.get_name() for task in asyncio.all_tasks()}

    with capture_logs() as logs:
        left = run(scenario())

    assert [name for name in left if "mx1" in name or name in ("web", "exposer", "reload", "history")] == []
    assert [log["event"] for log in logs if log["event"].startswith("exporter.")] == [
        "exporter.started",
        "exporter.stopped",
    ] * 2


def test_steps_are_written_while_it_runs(tmp_path: Path):
    """Each step of each server has a row, so that the pages have something to draw."""
    settings = settings_in(tmp_path)

    async def scenario() -> None:
        ready = asyncio.Event()
        daemon = Daemon(settings, load=lambda: settings, on_ready=lambda _: ready.set(), step_seconds=1)
        running = asyncio.create_task(daemon.run())

        def rows() -> int:
            with reading(settings.store.path) as history:
                return len(load_steps(history, "mx1", since=0))

        await ready.wait()
        await until(lambda: rows() >= 2)
        daemon.stop()
        await running

    with capture_logs():
        run(scenario())
