"""kill -9 in the middle of a backfill costs nothing but time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.reports import wire
from tests.support.rigs.reports import check_sums, query
from tests.support.servers import mailbox as jmap
from tests.support.servers.reports import ReportServer, serving

KILLS, REPORTS = 20, 2000


def server_with_reports(rng: random.Random) -> tuple[ReportServer, Counter[str]]:
    """A server with reports of all kinds, some of them twice and some unreadable; and what must come of them."""
    server, wanted = ReportServer(), Counter[str]()
    begin = wire.at("2026-10-20T00:00:00")
    good: list[str] = []
    for number in range(REPORTS):
        id_ = wire.report_id(begin + timedelta(minutes=20 * number), number)
        draw = rng.random()
        if draw < 0.05 and good:
            server.add("dmarc", id_, server.bodies["dmarc", rng.choice(good)])
            wanted["repeated"] += 1
        elif draw < 0.08:
            server.add("dmarc", id_, wire.body(wire.dmarc(f"bad-{number}", records=[wire.record(-1)])))
            wanted["rejected"] += 1
        elif draw < 0.75:
            records = [
                wire.record(rng.randint(0, 50), dkim=rng.choice(["Pass", "Fail"]), spf="Fail", source=f"192.0.2.{n}")
                for n in range(rng.randint(1, 4))
            ]
            server.add("dmarc", id_, wire.body(wire.dmarc(f"r-{number}", records=records)))
            good.append(id_)
            wanted["dmarc"] += 1
            wanted["messages"] += sum(r["row"]["count"] for r in records)
        elif draw < 0.9:
            policy = wire.tls_policy(successes=rng.randint(1, 99), failures=2, details=[("certificate-expired", 2)])
            server.add("tls", id_, wire.body(wire.tls(f"t-{number}", policies=[policy])))
            wanted["tls"] += 1
            wanted["sessions"] += policy["summary"]["total-successful-session-count"] + 2
        else:
            server.add("arf", id_, wire.body(wire.arf(rng.choice(["Abuse", "NotSpam", "AuthFailure"]))))
            wanted["arf"] += 1
    return server, wanted


class Killer:
    """Kills the child when the server has been asked so often, a moment later than that."""

    def __init__(self) -> None:
        self._left = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None

    def aim(self, process: subprocess.Popen[bytes], requests: int, seconds: float) -> None:
        self._left, self._process = requests, process
        self._timer = threading.Timer(seconds, process.kill)

    def asked(self, _: object) -> None:
        self._left -= 1
        if self._left == 0 and self._timer is not None:
            self._timer.start()


def kill_and_finish(killer: Killer, url: str, path: Path, *, generation: str, after: Callable[[], int]) -> None:
    """Twenty backfills that are killed *after* so many requests, and one that is not."""
    rng = random.Random(20)  # noqa: S311 - the same points at every run
    environ = {**os.environ, "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "tests.support.reports.backfill", generation, url, str(path)]
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
        killer.aim(process, after(), rng.uniform(0, 0.004))
        killed += process.wait(120) == -signal.SIGKILL
        check_sums(path)
    subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=True, timeout=240)

    assert killed == KILLS
    check_sums(path)
    assert query(path, "SELECT count(*) FROM seen") == [(REPORTS,)]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.fault("process", "kill -9 twenty times while reports are fetched")
def test_twenty_kills_during_a_backfill_leave_nothing_missing_and_nothing_double(tmp_path: Path):
    """Tables and counters agree with the server's reports afterwards."""
    rng = random.Random(20)  # noqa: S311 - the same points at every run
    server, wanted = server_with_reports(rng)
    path = tmp_path / "history.sqlite3"
    killer = Killer()
    server.before = killer.asked

    with serving(server) as url:
        kill_and_finish(killer, url, path, generation="rest", after=lambda: rng.randint(1, REPORTS // 14))

    assert dict(query(path, "SELECT kind, count(*) FROM report GROUP BY kind")) == {
        kind: wanted[kind] for kind in ("dmarc", "tls", "arf")
    }
    assert query(path, "SELECT count(*) FROM report_rejected") == [(wanted["rejected"],)]
    assert query(path, "SELECT sum(messages) FROM dmarc_record") == [(wanted["messages"],)]
    assert query(path, "SELECT sum(successes + failures) FROM tls_policy") == [(wanted["sessions"],)]


def test_twenty_kills_while_many_reports_come_at_once_do_the_same(tmp_path: Path):
    """All of one answer is in the file, or nothing of it."""
    rng = random.Random(16)  # noqa: S311 - the same points at every run
    server = jmap.mailbox(REPORTS)
    path = tmp_path / "history.sqlite3"
    killer = Killer()
    server.before = killer.asked

    with jmap.serving(server) as url:
        kill_and_finish(killer, url, path, generation="jmap", after=lambda: rng.randint(4, 8))

    assert query(path, "SELECT count(*), sum(passed + failed) FROM report") == [(REPORTS, REPORTS * (REPORTS + 1) // 2)]
