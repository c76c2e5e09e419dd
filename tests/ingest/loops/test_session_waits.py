"""Who waits for news of a server, and what wakes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from exporter.ingest.loops.session import RECHECK_SECONDS
from exporter.model.server import Capability, CapabilityStatus, Edition, Generation, ServerIdentity
from tests.support.rigs.session import AWAY, CLIENT, REST, Rig, running

STRANGER = ServerIdentity(generation=Generation.UNKNOWN, edition=Edition.UNKNOWN, note="this is a proxy")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


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
