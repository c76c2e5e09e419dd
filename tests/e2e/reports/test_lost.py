"""When the history file is lost under the running exporter: it is told, and another one takes its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.generations.test_recordings import environment, facts
from tests.e2e.reports.test_daemon import QUICK, RECORDING, missing, of_reports
from tests.support.exporter import Exporter, wait_until
from tests.support.replays.rest import replay
from tests.support.rigs.reports import check_sums, query


def emptied(history: Path) -> None:
    """Nothing is left."""
    os.truncate(history, 0)


def halved(history: Path) -> None:
    """The end is gone."""
    os.truncate(history, history.stat().st_size // 2)


def removed(history: Path) -> None:
    """Somebody has tidied up."""
    history.unlink()


def replaced(history: Path) -> None:
    """Somebody has put back a copy."""
    copy = history.with_name("copy")
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as now, closing(sqlite3.connect(copy)) as then:
        now.backup(then)
    os.replace(copy, history)


@pytest.mark.fault("store", "the history is truncated, removed or replaced while the exporter runs")
@pytest.mark.parametrize(
    ("lose", "reason"), [(emptied, "corrupt"), (halved, "corrupt"), (removed, "gone"), (replaced, "gone")]
)
def test_a_file_lost_under_the_exporter_is_followed_by_another(
    tmp_path: Path, lose: Callable[[Path], None], reason: str
):
    """Log and metric report it; the reports that the server still has are counted once in a new file."""
    wanted = facts(RECORDING)
    history = tmp_path / "history.sqlite3"

    with replay(RECORDING) as (url, _), Exporter(tmp_path, environ={**environment(url), **QUICK}) as exporter:
        wait_until(lambda: not missing(exporter, wanted), what="everything is shown", seconds=60)
        lose(history)

        # Whoever waits for its turn to write meanwhile fails, too.
        exporter.wait_for("stalwart_exporter_store_errors_total", lambda n: n >= 1, reason=reason, seconds=90)
        wait_until(lambda: "store.reopened" in exporter.log(), what="the file is opened anew")
        wait_until(lambda: not missing(exporter, wanted), what="everything is shown again", seconds=60)

        assert exporter.value("stalwart_exporter_store_success") == 1
        assert [event["reason"] for event in exporter.events() if event["event"] == "store.lost"] == [reason]
    check_sums(history)
    assert query(history, "SELECT count(*) FROM report") == query(
        history, "SELECT count(DISTINCT identity) FROM report"
    )


@pytest.mark.fault("store", "the history is lost and no other can be opened")
def test_until_another_file_can_be_opened_everything_is_shown_on(tmp_path: Path):
    """All metrics stay exported until another file can be opened."""
    wanted = facts(RECORDING)
    history = tmp_path / "history.sqlite3"

    with replay(RECORDING) as (url, _), Exporter(tmp_path, environ={**environment(url), **QUICK}) as exporter:
        wait_until(lambda: not missing(exporter, wanted), what="everything is shown", seconds=60)
        history.unlink()
        history.mkdir()

        wait_until(lambda: exporter.log().count("store.reopen_failed") >= 3, what="opening is tried again", seconds=90)
        others = {key: value for key, value in wanted.items() if not of_reports(key)}
        assert missing(exporter, others) == {}
        assert exporter.value("stalwart_up", server="mx1") == 1
        assert exporter.value("stalwart_exporter_store_success") == 0

        history.rmdir()
        wait_until(lambda: "store.reopened" in exporter.log(), what="the file is opened anew", seconds=60)
        wait_until(lambda: not missing(exporter, wanted), what="everything is shown again", seconds=60)
        assert exporter.value("stalwart_exporter_store_success") == 1
    check_sums(history)


def test_a_copy_that_is_left_in_place_keeps_what_it_knew(tmp_path: Path):
    """Counters go on from the copy's, and reports that it has are not taken in again."""
    history = tmp_path / "history.sqlite3"

    with replay(RECORDING) as (url, _), Exporter(tmp_path, environ={**environment(url), **QUICK}) as exporter:
        wait_until(lambda: not missing(exporter, facts(RECORDING)), what="everything is shown", seconds=60)
        replaced(history)
        wait_until(lambda: "store.reopened" in exporter.log(), what="the file is opened anew", seconds=90)
        (event,) = (event for event in exporter.events() if event["event"] == "store.reopened")

    rows = event["rows"]
    assert isinstance(rows, dict)
    assert rows["report"] == query(history, "SELECT count(*) FROM report")[0][0] > 0
    assert not list(tmp_path.glob("history.sqlite3.corrupt-*"))
