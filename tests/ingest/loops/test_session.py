"""Who the server is and whether it may be asked: detection, outages, refused credentials, news for those who wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest
from structlog.testing import capture_logs

from exporter.errors import (
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
)
from exporter.ingest.loops.session import RECHECK_SECONDS, Session
from exporter.model.server import Capability, CapabilityStatus, Edition, Generation, ServerIdentity
from exporter.stalwart.client import StalwartClient
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from tests.support.virtual_time import VirtualClock, run_virtually

T = TypeVar("T")

REST = ServerIdentity(generation=Generation.REST, edition=Edition.ENTERPRISE, version="0.15.5")
JMAP = ServerIdentity(generation=Generation.JMAP, edition=Edition.ENTERPRISE, version="0.16.18")
STRANGER = ServerIdentity(generation=Generation.UNKNOWN, edition=Edition.UNKNOWN, note="this is a proxy")
AWAY = TargetUnreachable("no connection")
REFUSED = TargetRefused("401")
CLIENT = cast(StalwartClient, object())


@dataclass
class ScriptedDetector:
    """
    Finds one thing after another; the last one is repeated.

    Attributes:
        asked: When each detection began, in seconds of the loop.
        takes_seconds: How long one takes.
    """

    findings: Sequence[ServerIdentity | TargetError]
    takes_seconds: float = 0.0
    asked: list[float] = field(default_factory=list)

    async def detect(self) -> ServerIdentity:
        self.asked.append(now())
        await asyncio.sleep(self.takes_seconds)
        finding = self.findings[min(len(self.asked), len(self.findings)) - 1]
        if isinstance(finding, TargetError):
            raise finding.with_traceback(None)
        return finding


class Rig:
    """A session that runs on what *findings* say."""

    def __init__(self, *findings: ServerIdentity | TargetError, takes_seconds: float = 0.0) -> None:
        clock = VirtualClock()
        self.detector = ScriptedDetector(findings, takes_seconds)
        self.board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        self.session = Session(
            detector=self.detector,
            client=CLIENT,
            board=self.board,
            clock=clock,
            rng=random.Random(1),  # noqa: S311 - jitter
        )

    async def outcome(self) -> StalwartClient | TargetError:
        """What whoever asks for the client gets."""
        try:
            return await self.session.client()
        except TargetError as error:
            return error

    async def waited(self, seconds: float, event: Callable[[], Awaitable[None]] | None = None) -> float:
        """How long a wait for news of at most *seconds* takes if *event* happens after ten seconds."""
        began = now()
        waiting = asyncio.create_task(self.session.wait_for_news(seconds))
        if event is not None:
            await asyncio.sleep(10)
            await event()
        await waiting
        return now() - began


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def now() -> float:
    return asyncio.get_running_loop().time()


def running(rig: Rig, scenario: Callable[[Rig], Coroutine[Any, Any, T]]) -> T:
    """The result of *scenario* while the session runs."""

    async def run() -> T:
        task = asyncio.create_task(rig.session.run())
        try:
            return await scenario(rig)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return run_virtually(run())


def test_the_client_is_handed_out_once_the_server_has_been_found():
    """Whoever asks before that waits for the first detection."""

    async def scenario(rig: Rig) -> tuple[object, float]:
        return await rig.outcome(), now()

    rig = Rig(REST, takes_seconds=3)

    assert running(rig, scenario) == (CLIENT, 3.0)
    assert (rig.session.epoch, rig.board.up, rig.board.identity) == (1, True, REST)


def test_the_trouble_of_a_server_is_raised_without_asking_it():
    """However many collectors ask, only the detection's own retries reach the server."""

    async def scenario(rig: Rig) -> list[object]:
        await rig.outcome()
        return [await rig.outcome() for _ in range(20)]

    rig = Rig(AWAY)

    assert running(rig, scenario) == [AWAY] * 20
    assert rig.detector.asked == [0.0]
    assert (rig.session.epoch, rig.board.up, rig.board.trouble) == (0, False, str(AWAY))


def test_a_server_that_is_away_is_looked_for_until_it_is_found():
    """The waits double up to a minute, and finding it is news."""

    async def scenario(rig: Rig) -> object:
        await asyncio.sleep(1000)
        return await rig.outcome()

    rig = Rig(*[AWAY] * 10, REST)

    assert running(rig, scenario) is CLIENT
    waits = [later - earlier for earlier, later in zip(rig.detector.asked, rig.detector.asked[1:], strict=False)]
    assert len(waits) == 10
    assert waits[0] <= 1
    assert all(30 <= wait <= 60 for wait in waits[6:])
    assert rig.session.epoch == 1


def test_refused_credentials_are_offered_again_only_when_an_operator_asks():
    """No time that passes sends them; a retry does, and the board shows the refusal meanwhile."""

    async def scenario(rig: Rig) -> tuple[object, bool, object]:
        await asyncio.sleep(24 * 3600)
        before, shown = await rig.outcome(), rig.board.refused
        await rig.session.retry()
        await asyncio.sleep(1)
        return before, shown, await rig.outcome()

    rig = Rig(REFUSED, REST)

    assert running(rig, scenario) == (REFUSED, True, CLIENT)
    assert rig.detector.asked == [0.0, 24 * 3600.0]
    assert rig.board.refused is False


def test_credentials_that_a_collector_sees_refused_stop_everybody():
    """The refusal is raised to whoever asks next, and the server is not asked again."""

    async def scenario(rig: Rig) -> object:
        await rig.outcome()
        rig.session.note(REFUSED)
        await asyncio.sleep(24 * 3600)
        return await rig.outcome()

    rig = Rig(REST)

    assert running(rig, scenario) is REFUSED
    assert rig.detector.asked == [0.0]
    assert (rig.board.up, rig.board.refused) == (False, True)


@pytest.mark.parametrize(
    ("error", "up", "detections"),
    [
        (AWAY, True, 2),
        (TargetTLSError("expired"), True, 2),
        (TargetUnreachable("cut", in_answer=True), False, 1),
        (TargetTimeout("no answer"), False, 1),
        (TargetServerError("502"), False, 1),
        (TargetForbidden("no permission"), True, 1),
        (None, True, 1),
    ],
    ids=["unreachable", "tls", "cut", "timeout", "502", "403", "success"],
)
def test_only_a_connection_that_fails_has_the_server_identified_again(
    error: TargetError | None, up: bool, detections: int
):
    """A failed request puts `up` to 0; a missing permission says that the credentials are good."""

    async def scenario(rig: Rig) -> None:
        await rig.outcome()
        rig.session.note(error)
        await asyncio.sleep(100)

    rig = Rig(REST)
    running(rig, scenario)

    assert rig.board.up is up
    assert len(rig.detector.asked) == rig.session.epoch == detections


def test_the_same_server_after_a_mere_suspicion_is_no_news():
    """It is identified again, its epoch stays, and nobody who waits is woken."""

    async def scenario(rig: Rig) -> float:
        await rig.outcome()

        async def suspect() -> None:
            rig.session.gone()

        return await rig.waited(600, suspect)

    rig = Rig(REST)

    assert running(rig, scenario) == 600
    assert (len(rig.detector.asked), rig.session.epoch) == (2, 1)


def test_another_server_in_its_place_is_news():
    """After an upgrade whoever waits is woken at once."""

    async def scenario(rig: Rig) -> float:
        await rig.outcome()

        async def suspect() -> None:
            rig.session.gone()

        return await rig.waited(600, suspect)

    rig = Rig(REST, JMAP)

    assert running(rig, scenario) == 10
    assert (rig.session.epoch, rig.board.identity) == (2, JMAP)


def test_a_retry_wakes_whoever_waits_even_if_the_server_is_the_same():
    """An operator who reloads does not wait for an hour to be over."""

    async def scenario(rig: Rig) -> float:
        await rig.outcome()
        return await rig.waited(RECHECK_SECONDS, rig.session.retry)

    rig = Rig(REST)

    assert running(rig, scenario) == 10
    assert rig.session.epoch == 2


def test_a_wait_without_news_ends_on_time():
    """Nothing is left running after it, also if it is cancelled."""

    async def scenario(rig: Rig) -> tuple[float, int]:
        await rig.outcome()
        before = len(asyncio.all_tasks())
        took = await rig.waited(30)
        waiting = asyncio.create_task(rig.session.wait_for_news(30))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait([waiting])
        return took, len(asyncio.all_tasks()) - before

    assert running(Rig(REST), scenario) == (30, 0)


def test_a_stranger_at_the_servers_address_is_believed_after_a_second_look():
    """The first look puts `up` to 0 and keeps the identity; a minute later the server counts as another one."""

    async def scenario(rig: Rig) -> tuple[ServerIdentity | None, bool | None]:
        await rig.outcome()
        rig.session.gone()
        await asyncio.sleep(30)
        doubted = rig.board.identity, rig.board.up
        await asyncio.sleep(60)
        return doubted

    rig = Rig(REST, STRANGER)

    assert running(rig, scenario) == (REST, False)
    assert rig.board.identity is not None
    assert rig.board.identity.generation is Generation.UNKNOWN
    assert rig.board.capabilities[Capability.QUEUE] is CapabilityStatus.UNSUPPORTED
    assert rig.detector.asked == [0.0, 0.0, 60.0]
