"""The whole exporter with reports in it: what it shows, keeps and says when the history file is in trouble."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.test_recordings import environment, facts
from tests.reports.disks import small_disk
from tests.reports.rig import check_sums
from tests.support.exporter import Exporter, Series, wait_until
from tests.support.replay import replay

RECORDING = "rest-0.15.5"
QUICK = {"STALWART_EXPORTER_INTERVALS__REPORTS": "1s", "STALWART_EXPORTER_INTERVALS__OUTGOING": "1s"}
ROOM_LEFT = 16 * 1024


def missing(exporter: Exporter, wanted: dict[Series, float]) -> dict[Series, float]:
    """What is not shown as it should be."""
    shown = exporter.samples()
    return {key: value for key, value in wanted.items() if shown.get(key) != pytest.approx(value)}


def of_reports(series: Series) -> bool:
    """Whether a series is made of reports."""
    return series[0].startswith(("stalwart_reports_", "stalwart_dmarc_", "stalwart_tls_report_", "stalwart_arf_"))


@contextmanager
def no_room(
    folder: Path, pid: Callable[[], int], *, by_disk: bool
) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """What takes away the room on the disk, or the process's right to write longer files, and what gives it back."""
    with small_disk(folder, kibibytes=8 * 1024) as disk:
        filler = folder / "filler"

        def fill() -> None:
            with suppress(OSError), filler.open("wb", buffering=0) as out:
                while True:
                    out.write(bytes(4096))

        def limit() -> None:
            hard = resource.prlimit(pid(), resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid(), resource.RLIMIT_FSIZE, (ROOM_LEFT, hard))

        def unlimit() -> None:
            hard = resource.prlimit(pid(), resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid(), resource.RLIMIT_FSIZE, (hard, hard))

        yield (fill, filler.unlink) if by_disk and disk is not None else (limit, unlimit)


@pytest.mark.parametrize("by_disk", [True, False])
def test_without_room_for_reports_the_rest_is_exported_and_with_room_everything(tmp_path: Path, by_disk: bool):
    """The log and the metrics say what is wrong; nothing is lost once it is put right."""
    wanted = facts(RECORDING)
    others = {key: value for key, value in wanted.items() if not of_reports(key)}
    running: list[Exporter] = []
    folder = tmp_path / "disk"

    with (
        no_room(folder, lambda: running[0].pid, by_disk=by_disk) as (take_room, give_room),
        replay(RECORDING) as (url, _),
    ):
        history = folder / "history.sqlite3"
        environ = {**environment(url), **QUICK, "STALWART_EXPORTER_STORE_PATH": str(history)}
        with Exporter(tmp_path, environ=environ) as exporter:
            running.append(exporter)
            take_room()
            exporter.wait_for("stalwart_exporter_collector_success", 0, collector="reports", server="mx1")
            wait_until(lambda: not missing(exporter, others), what="the rest is shown", seconds=45)
            assert exporter.value("stalwart_exporter_store_success") == 0
            assert exporter.total("stalwart_exporter_store_errors_total") > 0
            assert exporter.value("stalwart_up", server="mx1") == 1
            assert "the history takes no reports now" in exporter.log()

            give_room()
            wait_until(lambda: not missing(exporter, wanted), what="everything is shown", seconds=60)
            exporter.wait_for("stalwart_exporter_store_success", 1)
            exporter.wait_for("stalwart_exporter_collector_success", 1, collector="reports", server="mx1")

        check_sums(history)


def test_counters_of_reports_go_on_after_a_restart(tmp_path: Path):
    """kill -9 and another start: the same numbers, and no report is asked for again."""
    wanted = {key: value for key, value in facts(RECORDING).items() if of_reports(key)}
    with replay(RECORDING) as (url, server):
        exporter = Exporter(tmp_path, environ=environment(url)).start()
        wait_until(lambda: not missing(exporter, wanted), what="the reports are shown", seconds=45)
        exporter.kill()
        with exporter:
            assert not missing(exporter, {key: value for key, value in wanted.items() if key[0].endswith("_total")})
            exporter.wait_for("stalwart_exporter_collector_success", 1, collector="reports", server="mx1")
            assert not missing(exporter, wanted)

    fetched = [asked.path for asked in server.asked if asked.path.startswith("/api/reports/") and "?" not in asked.path]
    assert len(fetched) == len(set(fetched)) == 9
