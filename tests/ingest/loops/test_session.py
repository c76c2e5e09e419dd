"""Who the server is and whether it may be asked: detection, outages, refused credentials, news for those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

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
from exporter.model.server import Edition, Generation, ServerIdentity
from tests.support.rigs.session import AWAY, CLIENT, REST, Rig, now, running

JMAP = ServerIdentity(generation=Generation.JMAP, edition=Edition.ENTERPRISE, version="0.16.18")
REFUSED = TargetRefused("401")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


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
