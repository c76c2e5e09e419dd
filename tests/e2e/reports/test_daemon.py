"""The whole exporter with reports in it: what it shows, keeps and says when the history file is in trouble."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from tests.e2e.generations.test_recordings import environment, facts
from tests.support.disks import protected, small_disk
from tests.support.exporter import Exporter, Series, wait_until
from tests.support.replays.rest import replay
from tests.support.rigs.reports import check_sums, rig

RECORDING = "rest-0.15.5"
QUICK = {
    "STALWART_EXPORTER_INTERVALS__REPORTS": "1s",
    "STALWART_EXPORTER_INTERVALS__OUTGOING": "1s",
    "STALWART_EXPORTER_MAX_REQUESTS_PER_MINUTE": "10000",
}
ROOM_LEFT = 16 * 1024


async def take_in(url: str, history: Path) -> None:
    """One life of the collector alone."""
    async with rig(url, history) as life:
        await life.run()


def missing(exporter: Exporter, wanted: dict[Series, float]) -> dict[Series, float]:
    """What is not shown as it should be."""
    shown = exporter.samples()
    return {key: value for key, value in wanted.items() if shown.get(key) != pytest.approx(value)}


def of_reports(series: Series) -> bool:
    """Whether a series is made of reports."""
    return series[0].startswith(("stalwart_reports_", "stalwart_dmarc_", "stalwart_tls_report_", "stalwart_arf_"))


@contextmanager
def file_limit(history: Path, pid: int) -> Iterator[str]:
    """The process may not write files of more than a few pages."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM_LEFT, hard))
    try:
        yield "io"
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def full_disk(history: Path, pid: int) -> Iterator[str]:
    """Somebody has filled the disk; where it is no small one, the process is limited instead."""
    if not history.parent.is_mount():
        with file_limit(history, pid) as reason:
            yield reason
        return
    filler = history.with_name("filler")
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    try:
        yield "full"
    finally:
        filler.unlink()


@contextmanager
def write_protected(history: Path, pid: int) -> Iterator[str]:
    """The file and its log are immutable; where nobody can make them so, the process is limited instead."""
    with protected(history, Path(f"{history}-wal")) as done:
        if done:
            yield "io"
    if not done:
        with file_limit(history, pid) as reason:
            yield reason


@contextmanager
def locked(history: Path, pid: int) -> Iterator[str]:
    """Another program is in the middle of a transaction."""
    connection = sqlite3.connect(history, isolation_level=None, timeout=30)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield "locked"
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@pytest.mark.parametrize(
    ("trouble", "disk"),
    [(full_disk, small_disk), (write_protected, None), (locked, None)],
    ids=["full disk", "write-protected", "locked"],
)
def test_in_trouble_with_its_file_the_rest_is_exported_and_without_it_everything(
    tmp_path: Path,
    trouble: Callable[[Path, int], AbstractContextManager[str]],
    disk: Callable[..., AbstractContextManager[object]] | None,
):
    """The log and the metrics say what is wrong; nothing is lost once it is put right."""
    wanted = facts(RECORDING)
    others = {key: value for key, value in wanted.items() if not of_reports(key)}
    folder = tmp_path / "disk"

    with disk(folder, kibibytes=8 * 1024) if disk else nullcontext(folder.mkdir()), replay(RECORDING) as (url, _):
        history = folder / "history.sqlite3"
        environ = {**environment(url), **QUICK, "STALWART_EXPORTER_STORE_PATH": str(history)}
        with Exporter(tmp_path, environ=environ) as exporter:
            with trouble(history, exporter.pid) as reason:
                exporter.wait_for("stalwart_exporter_collector_success", 0, collector="reports", server="mx1")
                wait_until(lambda: not missing(exporter, others), what="the rest is shown", seconds=45)
                assert exporter.value("stalwart_exporter_store_success") == 0
                assert exporter.value("stalwart_exporter_store_errors_total", reason=reason) > 0
                assert exporter.value("stalwart_up", server="mx1") == 1
                assert "the history cannot store reports now" in exporter.log()

            wait_until(lambda: not missing(exporter, wanted), what="everything is shown", seconds=60)
            exporter.wait_for("stalwart_exporter_store_success", 1)
            exporter.wait_for("stalwart_exporter_collector_success", 1, collector="reports", server="mx1")

        check_sums(history)


def test_a_truncated_file_is_told_kept_and_begun_anew(tmp_path: Path):
    """At the next start it stands beside the new one, into which the server's reports are taken once more."""
    wanted = {key: value for key, value in facts(RECORDING).items() if of_reports(key)}
    history = tmp_path / "history.sqlite3"

    with replay(RECORDING) as (url, _):
        asyncio.run(take_in(url, history))
        with history.open("r+b") as handle:
            handle.truncate(history.stat().st_size // 2)
        with Exporter(tmp_path, environ={**environment(url), **QUICK}) as exporter:
            wait_until(lambda: not missing(exporter, wanted), what="the reports are shown again", seconds=45)

    assert [event["moved_to"] for event in exporter.events() if event["event"] == "store.corruption_found"] == [
        str(path) for path in tmp_path.glob("history.sqlite3.corrupt-*")
    ]
    check_sums(history)


def test_counters_of_reports_go_on_after_a_restart(tmp_path: Path):
    """kill -9 and another start: the same numbers, and no report is asked for again."""
    wanted = {key: value for key, value in facts(RECORDING).items() if of_reports(key)}
    with replay(RECORDING) as (url, server):
        exporter = Exporter(tmp_path, environ={**environment(url), **QUICK}).start()
        wait_until(lambda: not missing(exporter, wanted), what="the reports are shown", seconds=45)
        exporter.kill()
        with exporter:
            assert not missing(exporter, {key: value for key, value in wanted.items() if key[0].endswith("_total")})
            exporter.wait_for("stalwart_exporter_collector_success", 1, collector="reports", server="mx1")
            assert not missing(exporter, wanted)

    fetched = [asked.path for asked in server.asked if asked.path.startswith("/api/reports/") and "?" not in asked.path]
    assert len(fetched) == len(set(fetched)) == 9
