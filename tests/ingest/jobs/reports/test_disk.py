"""When the history file cannot be used: nothing is lost, nothing is counted twice, and it heals."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.errors import HistoryUnavailable, StoreError
from exporter.store.store import Store
from tests.support.disks import small_disk
from tests.support.reports import wire
from tests.support.rigs.reports import Rig, check_sums, query, rig
from tests.support.servers.reports import ReportServer, serving

COUNT = 120
START = wire.at("2026-11-20T00:00:00")


def server_with_reports() -> ReportServer:
    """Reports that take some room on disk."""
    server = ReportServer()
    for number in range(COUNT):
        records = [wire.record(1, source=f"2001:db8::{number:x}:{n:x}") for n in range(30)]
        id_ = wire.report_id(START + timedelta(minutes=number), number)
        server.add("dmarc", id_, wire.body(wire.dmarc(f"r-{number}", records=records)))
    return server


async def fails(life: Rig, reason: str) -> None:
    """A poll ends with the history unavailable, for *reason*; tables and counters agree, and the rest is shown."""
    errors = life.store.stats.errors.get(reason, 0)
    with pytest.raises(HistoryUnavailable, match="the history cannot store reports now"):
        await life.run()
    assert life.store.stats.errors[reason] == errors + 1
    assert life.store.stats.ok is False
    assert life.value("stalwart_reports_total", kind="dmarc") is not None


async def heals(life: Rig) -> None:
    """The next poll takes everything that is left."""
    await life.run()
    assert life.store.stats.ok is True
    assert life.value("stalwart_reports_total", kind="dmarc") == COUNT


def check_whole(path: Path) -> None:
    """Everything is there, once."""
    assert query(path, "SELECT count(*), count(DISTINCT report_id) FROM report") == [(COUNT, COUNT)]
    assert query(path, "SELECT sum(messages) FROM dmarc_record") == [(COUNT * 30,)]
    check_sums(path)


def live(path: Path, act: Callable[[Rig], object], server: ReportServer | None = None) -> None:
    """One life of the collector."""

    async def run(url: str) -> None:
        async with rig(url, path) as life:
            await act(life)  # type: ignore[misc]

    with serving(server or server_with_reports()) as url:
        asyncio.run(run(url))


async def limit_pages(life: Rig, more: int | None) -> None:
    """SQLite's own quota: the file may grow by so many pages, or without end."""
    pages = await life.store.write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await life.store.read(f"PRAGMA max_page_count={pages + more if more is not None else 2**30}")


@pytest.mark.fault("store", "the history reaches its file size limit")
def test_a_file_that_may_not_grow_stops_the_reports_and_nothing_else(tmp_path: Path):
    """Reports stop as `full` until the file may grow again, then all are fetched."""
    path = tmp_path / "h.sqlite3"

    async def act(life: Rig) -> None:
        await limit_pages(life, 60)
        await fails(life, "full")
        await fails(life, "full")
        await limit_pages(life, None)
        await heals(life)

    live(path, act)

    check_whole(path)


@pytest.mark.fault("store", "the disk is full")
def test_a_full_disk_stops_the_reports_until_there_is_room(tmp_path: Path):
    """Reports stop as `full` until there is room again, then all are fetched."""
    with small_disk(tmp_path / "disk", kibibytes=1000) as disk:
        path = tmp_path / "disk" / "h.sqlite3"

        async def act(life: Rig) -> None:
            if disk is None:
                await limit_pages(life, 100)
            await fails(life, "full")
            await fails(life, "full")
            if disk is None:
                await limit_pages(life, None)
            else:
                disk.resize(64 * 1024)
            await heals(life)

        live(path, act)

        check_whole(path)


@pytest.mark.fault("store", "the file system turns read-only")
def test_a_disk_that_turned_read_only_stops_the_reports_until_it_is_writable(tmp_path: Path):
    """Reports stop as `readonly` until the disk is writable, then all are fetched; reads continue."""
    with small_disk(tmp_path / "disk", kibibytes=64 * 1024) as disk:
        path = tmp_path / "disk" / "h.sqlite3"

        async def protect(life: Rig, readonly: bool) -> None:
            await life.store.read(f"PRAGMA query_only={int(readonly)}")

        async def act(life: Rig) -> None:
            await protect(life, True)
            with pytest.raises(HistoryUnavailable):
                await life.run()
            assert life.store.stats.errors["readonly"] > 0
            await protect(life, False)
            await heals(life)

        live(path, act)
        check_whole(path)
        if disk is None:
            path.chmod(0o444)
            tmp_path.joinpath("disk").chmod(0o555)
        else:
            disk.protect(readonly=True)

        with pytest.raises(StoreError, match=str(path)):
            asyncio.run(Store.open(path, now=START))

        if disk is not None:
            disk.protect(readonly=False)


@pytest.mark.fault("store", "another process holds a lock on the history")
def test_a_file_that_another_process_has_locked_is_waited_for(tmp_path: Path):
    """The poll fails as `locked`, and the next one fetches what is left."""
    path = tmp_path / "h.sqlite3"

    async def act(life: Rig) -> None:
        await life.store.read("PRAGMA busy_timeout=10")
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryUnavailable):
            await life.run()
        assert life.store.stats.errors["locked"] > 0
        blocker.execute("ROLLBACK")
        blocker.close()
        await heals(life)

    live(path, act)

    check_whole(path)


@pytest.mark.fault("store", "a truncated history at the start")
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_file_is_moved_aside_and_the_reports_are_taken_again(tmp_path: Path, part: float):
    """The file is moved aside, and the reports that the server still has are counted in a new one."""
    path = tmp_path / "h.sqlite3"
    server = server_with_reports()
    live(path, Rig.run, server)
    size = path.stat().st_size
    with path.open("r+b") as handle:
        handle.truncate(int(size * part))

    live(path, heals, server)

    check_whole(path)
    assert len(list(tmp_path.glob("h.sqlite3.corrupt-*"))) == 1


def test_a_file_truncated_under_a_running_daemon_is_told_and_healed_by_a_restart(tmp_path: Path):
    """The poll fails, whatever SQLite makes of it; nothing else breaks."""
    path = tmp_path / "h.sqlite3"
    server = server_with_reports()

    async def act(life: Rig) -> None:
        await life.run()
        await life.store.read("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(COUNT, COUNT + 5):
            id_ = wire.report_id(START + timedelta(minutes=number), number)
            server.add("dmarc", id_, wire.body(wire.dmarc(f"late-{number}")))
        with path.open("r+b") as handle:
            handle.truncate(8192)
        await life.store.read("PRAGMA shrink_memory")
        with pytest.raises(HistoryUnavailable):
            await life.run()
        assert life.store.stats.ok is False
        assert life.value("stalwart_reports_total", kind="dmarc") == COUNT

    async def after(life: Rig) -> None:
        await life.run()
        assert life.value("stalwart_reports_total", kind="dmarc") == COUNT + 5

    live(path, act, server)
    live(path, after, server)

    check_sums(path)
    assert query(path, "SELECT count(*) FROM report") == [(COUNT + 5,)]
