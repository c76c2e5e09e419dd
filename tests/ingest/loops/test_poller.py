"""When a collector runs next: on time, after a failure, and while the server does not serve it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.errors import (
    PayloadError,
    StoreError,
    TargetBusy,
    TargetServerError,
    TargetTimeout,
    TargetUnreachable,
)
from exporter.model.server import ServerIdentity
from exporter.stalwart.client import StalwartClient
from exporter.state.health import CollectorHealth
from tests.support.rigs.poller import INTERVAL_SECONDS, KnownServer, ScriptedJob, Watch, watched
from tests.support.virtual_time import START, run_virtually


class Surprise(Exception):
    """What nobody has thought of."""


class PacedScript(ScriptedJob):
    """One that has more to do at first."""

    @property
    def sooner_seconds(self) -> float | None:
        return 5.0 if len(self.began) < 4 else None


class OddScript(ScriptedJob):
    """One whose first pause meets a bug, outside the job."""

    @property
    def sooner_seconds(self) -> float | None:
        if len(self.began) == 1:
            raise Surprise
        return None


@pytest.fixture(autouse=True)
def logged() -> Iterator[Sequence[Mapping[str, Any]]]:
    """Tracebacks are kept and not drawn, which would take the most of the time."""
    with capture_logs() as events:
        yield events


def test_a_good_collector_runs_at_its_interval():
    """The time that a run takes is part of the interval."""
    job = ScriptedJob([None], takes_seconds=4.0)

    health, _ = watched(job, 100)

    assert job.began == [0, 30, 60, 90]
    assert health.success is True


def test_a_run_that_overruns_its_interval_is_not_begun_twice():
    """The next one follows at once, and none beside it."""
    job = ScriptedJob([None], takes_seconds=45.0)

    watched(job, 100)

    assert job.began == [0, 45, 90]


def test_a_job_that_has_more_to_do_runs_sooner():
    """It says so itself, run by run."""
    job = PacedScript([None])

    watched(job, 50)

    assert job.began == [0, 5, 10, 15, 45]


FAILURES: list[Exception] = [
    PayloadError("data.items: not a list"),
    TargetServerError("502"),
    TargetTimeout("no answer"),
    TargetUnreachable("no connection"),
    TargetBusy("429"),
    StoreError("disk full"),
    Surprise(),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_the_first_failure_is_retried_at_the_interval(failure: Exception):
    """Whatever a single run meets costs one sample and not five minutes."""
    job = ScriptedJob([None, failure, None])

    health, board = watched(job, 100)

    assert job.began == [0, 30, 60, 90]
    assert sum(health.failures.values()) == 1
    assert health.success is True
    assert board.up is True


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("failing_runs", [2, 7, 40])
def test_however_long_a_fault_lasts_the_waits_stay_within_one_and_a_half_intervals(
    failure: Exception, failing_runs: int
):
    """The first good run comes within two intervals of the end of the fault."""
    job = ScriptedJob([None, *[failure] * failing_runs, None])

    health, _ = watched(job, 45.0 * (failing_runs + 3))

    waits = [later - earlier for earlier, later in zip(job.began, job.began[1:], strict=False)]
    assert all(INTERVAL_SECONDS <= wait <= 1.5 * INTERVAL_SECONDS for wait in waits)
    assert len(job.began) > failing_runs + 1
    assert health.success is True


def test_a_bug_in_a_job_says_nothing_against_the_server():
    """It counts as internal and leaves the server up."""
    health, board = watched(ScriptedJob([Surprise()]), 10)

    assert (health.success, health.failures) == (False, {"internal": 1})
    assert board.up is True


def test_a_bug_outside_the_job_ends_neither_the_collector_nor_its_siblings():
    """Its loop begins again within seconds, the end is counted, and the next good run heals the health."""

    async def scenario() -> tuple[CollectorHealth, CollectorHealth, Sequence[float]]:
        watch = Watch()
        odd, good = OddScript([None]), ScriptedJob([None])
        pollers = [watch.poller(odd), watch.poller(good, name="logs")]
        crashed = pollers[0].health

        async def meanwhile() -> None:
            assert len(odd.began) == 2

        await watch.run(10, *pollers, then=meanwhile)
        return crashed, pollers[1].health, good.began

    crashed, sibling, began = run_virtually(scenario())

    assert crashed.failures == {"internal": 1}
    assert crashed.success is True
    assert (sibling.success, sibling.failures, began) == (True, {}, [0])


def test_a_failure_and_its_recovery_are_each_logged_once(logged: Sequence[Mapping[str, Any]]):
    """Five equal failures in a row are counted five times and logged once; another one is logged as well."""
    slow, broken = TargetTimeout("no answer"), PayloadError("data.items: not a list")
    job = ScriptedJob([None, *[slow] * 5, broken, None])

    health, _ = watched(job, 12 * INTERVAL_SECONDS)

    transitions = [(log["event"], log.get("reason")) for log in logged if log["event"].startswith("poll.")]
    assert transitions == [("poll.failed", "timeout"), ("poll.failed", "payload"), ("poll.recovered", None)]
    assert health.failures == {"timeout": 5, "payload": 1}
    assert (health.success, health.error) == (True, "")


def test_a_failure_keeps_the_time_of_the_last_success():
    """Both are on the page: that it fails, and since when its values are old."""
    health, _ = watched(ScriptedJob([None, TargetTimeout("no answer")]), 300)

    assert health.success is False
    assert health.last_success_at == datetime.fromtimestamp(START, UTC)


def test_every_run_is_timed_also_a_failed_one():
    """The duration is what the server took, without the pause."""
    job = ScriptedJob([None, TargetTimeout("no answer"), None], takes_seconds=4.0)

    health, _ = watched(job, 75)

    assert len(job.began) == 3
    assert sum(health.durations.counts) == 3
    assert health.durations.sum == 12.0


def test_a_collector_that_does_not_use_the_api_leaves_up_alone():
    """The server's own metrics page may be down while the management API answers."""
    job = ScriptedJob([TargetServerError("502")])

    health, board = watched(job, 100, speaks_for_api=False)

    assert health.success is False
    assert board.up is True


def test_an_outage_is_a_failure_without_a_request():
    """While the server is away the collector fails with the outage, and its job is not run."""

    class Away(KnownServer):
        async def detect(self) -> ServerIdentity:
            raise TargetUnreachable("no connection")

    job = ScriptedJob([None])

    async def scenario() -> CollectorHealth:
        watch = Watch(Away())
        poller = watch.poller(job)
        await watch.run(100, poller)
        return poller.health

    health = run_virtually(scenario())

    assert job.began == []
    assert (health.success, health.error) == (False, "no connection")
    assert set(health.failures) == {"unreachable"}


def test_cancelling_in_the_middle_of_a_poll_ends_it_and_counts_nothing():
    """A stop is no failure of the server, and the job that was under way has ended before the poller has."""
    ended: list[str] = []

    async def hanging(_: StalwartClient) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("job")

    async def scenario() -> CollectorHealth:
        watch = Watch()
        poller = watch.poller(hanging)
        session = asyncio.create_task(watch.session.run())
        polling = asyncio.create_task(poller.run())
        await asyncio.sleep(10)
        assert ended == []
        for task in (polling, session):
            task.cancel()
        await asyncio.wait([polling, session])
        ended.append("poller")
        assert polling.cancelled()
        return poller.health

    health = run_virtually(scenario())

    assert ended == ["job", "poller"]
    assert (health.success, health.failures, sum(health.durations.counts)) == (None, {}, 0)


def test_a_job_that_asks_to_run_later_than_its_interval_runs_at_the_interval():
    """It may only ask to run sooner, and a run that took longer than that is followed at once."""

    class Late(ScriptedJob):
        sooner_seconds = 500.0

    class Slow(ScriptedJob):
        sooner_seconds = 5.0

    late, slow = Late([None]), Slow([None], takes_seconds=8.0)

    watched(late, 70)
    watched(slow, 20)

    assert (late.began, slow.began) == ([0, 30, 60], [0, 8, 16])


def test_a_job_that_fails_is_not_run_sooner():
    """What it asked for holds after a success only."""

    class Hurried(ScriptedJob):
        sooner_seconds = 5.0

    job = Hurried([None, TargetTimeout("no answer"), None])

    watched(job, 38)

    assert job.began == [0, 5, 35]
