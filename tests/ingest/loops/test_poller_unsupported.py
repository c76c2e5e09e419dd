"""When a collector runs that the server does not serve, or refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.errors import (
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetUnsupported,
)
from exporter.ingest.loops.session import RECHECK_SECONDS
from exporter.model.server import Capability, CapabilityStatus
from exporter.state.board import ServerBoard
from exporter.state.health import CollectorHealth
from tests.support.rigs.poller import ScriptedJob, Watch, now, watched
from tests.support.virtual_time import run_virtually

GONE = TargetUnsupported("404 from whoever answers", certain=False)
DENIED = TargetForbidden("403 from whoever answers", certain=False)


@pytest.fixture(autouse=True)
def logged() -> Iterator[Sequence[Mapping[str, Any]]]:
    """Tracebacks are kept and not drawn, which would take the most of the time."""
    with capture_logs() as events:
        yield events


def test_what_the_server_says_it_lacks_is_asked_for_once_per_hour():
    """It is off, which is no failure."""
    job = ScriptedJob([TargetUnsupported("not licensed", status="not_licensed")])

    health, board = watched(job, 3 * RECHECK_SECONDS + 1)

    assert job.began == [0, 3600, 7200, 10800]
    assert (health.success, health.off, health.failures) == (None, "not licensed", {})
    assert board.capabilities[Capability.QUEUE] is CapabilityStatus.NOT_LICENSED


def test_what_may_appear_sooner_is_asked_for_when_the_error_says():
    """A capability that switches by itself has a time of its own."""
    job = ScriptedJob([TargetUnsupported("own responses in the log", again_seconds=600.0)])

    watched(job, 1300)

    assert job.began == [0, 600, 1200]


@pytest.mark.parametrize("refusal", [GONE, DENIED], ids=["404", "403"])
def test_a_bare_status_is_believed_after_a_second_look(refusal: TargetError):
    """What never worked is looked at again after a minute, and then once per hour."""
    job = ScriptedJob([refusal])

    health, _ = watched(job, RECHECK_SECONDS + 61)

    assert job.began == [0, 60, 3660]
    assert health.success is None


@pytest.mark.parametrize(("refusal", "status"), [(GONE, "unsupported"), (DENIED, "forbidden")], ids=["404", "403"])
def test_what_worked_before_counts_as_failing_until_the_refusal_is_confirmed(refusal: TargetError, status: str):
    """A proxy's answers for half a minute are a failure; after a minute they are a fact. Two refusals are provoked."""
    seen: list[tuple[float, bool | None]] = []

    async def scenario() -> tuple[ScriptedJob, CollectorHealth, ServerBoard]:
        watch = Watch()
        job = ScriptedJob([None, refusal])
        poller = watch.poller(job)
        watch.board.subscribe(lambda: seen.append((now(), poller.health.success)))
        await watch.run(RECHECK_SECONDS, poller)
        return job, poller.health, watch.board

    job, health, board = run_virtually(scenario())

    assert job.began == [0, 30, 90]
    assert seen[-1] == (90, None)
    assert {success for at, success in seen if 30 < at < 90 or (at == 30 and success is not True)} == {False}
    assert health.off == str(refusal)
    assert board.capabilities[Capability.QUEUE] == status


def test_three_refusals_are_the_most_that_are_provoked():
    """Also where the interval brings the second look before the minute is over."""
    job = ScriptedJob([None, DENIED])

    async def scenario() -> None:
        watch = Watch()
        poller = watch.poller(job, interval_seconds=12.5)
        await watch.run(RECHECK_SECONDS, poller)

    run_virtually(scenario())

    assert job.began[:1] == [0]
    assert job.began[1:] == [12.5, 37.5, 72.5]


def test_a_success_at_the_second_look_ends_the_doubt():
    """A rollout of less than a minute costs two samples."""
    job = ScriptedJob([None, GONE, None])

    health, board = watched(job, 130)

    assert job.began == [0, 30, 90, 120]
    assert health.success is True
    assert board.capabilities[Capability.QUEUE] is CapabilityStatus.AVAILABLE


@pytest.mark.parametrize(
    "refusals",
    [[TargetUnsupported("no telemetry")], [TargetForbidden("no permission")], [GONE, GONE]],
    ids=["lacks", "denies", "404"],
)
def test_news_of_the_server_ends_the_hour_early(refusals: Sequence[TargetError]):
    """When a server has been found again, what it lacked before is asked for at once."""
    job = ScriptedJob([*refusals, None])

    async def scenario() -> CollectorHealth:
        watch = Watch()
        poller = watch.poller(job)
        await watch.run(600, poller, then=watch.session.retry)
        return poller.health

    health = run_virtually(scenario())

    assert job.began[len(refusals) - 1 :][:3] == [60.0 * (len(refusals) - 1), 600, 630]
    assert health.success is True


def test_refused_credentials_are_not_sent_again_until_an_operator_asks():
    """However often the collector is due, the server is asked once."""
    job = ScriptedJob([TargetRefused("401"), None])

    async def scenario() -> CollectorHealth:
        watch = Watch()
        poller = watch.poller(job)
        await watch.run(7200, poller, then=watch.session.retry)
        return poller.health

    health = run_virtually(scenario())

    assert job.began[:3] == [0, 7200, 7230]
    assert health.success is True
