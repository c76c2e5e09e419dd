"""The history keeps its length by itself, in a running exporter."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from exporter.simulator import DmarcRow, ManualClock, StandIn, World
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import DAY_SECONDS, Scene, after_polls, asked, community, server_table

ROWS = [DmarcRow(source_ip="192.0.2.1", count=9, disposition="none", dkim="pass", spf="pass")]


def mail_a_report(world: World) -> None:
    """A report about the day before."""
    begin = int(world.now()) - DAY_SECONDS
    world.receive_dmarc(
        org="big-mailbox.test", report_id="r-1", domain="example.test", begin=begin, end=begin + 86_399, rows=ROWS
    )


def stored(exporter: Exporter) -> int:
    """How many reports the history file holds."""
    path = exporter.directory / "history.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM report").fetchone()[0])


def test_reports_older_than_the_retention_leave_the_history_and_do_not_come_back(tmp_path: Path):
    """A shorter retention takes effect at the next start; what the server still lists is not taken in a second time."""
    with StandIn(community(), clock=ManualClock(time.time() - 3 * DAY_SECONDS)) as server:
        server.call(mail_a_report)
        table = server_table(server.url)
        with Exporter(tmp_path, config=table) as exporter:
            scene = Scene(server, exporter)
            scene.wait_for("stalwart_reports_total", 1, kind="dmarc")
            assert stored(exporter) == 1
            exporter.stop()
            exporter.config_path.write_text(f'[store]\nretention = "1d"\n{table}')
            exporter.start()

            wait_until(lambda: stored(exporter) == 0, what="the report is too old to be kept")
            after_polls([scene], "reports")
            count = scene.value("stalwart_reports_total", kind="dmarc")

        assert stored(exporter) == 0
        assert count == 1
        assert len([request for request in server.requests if request.path.startswith("/api/reports/dmarc/")]) == 1
        assert len(asked(server, "/api/reports/dmarc")) > 2
