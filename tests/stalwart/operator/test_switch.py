"""A pause is read back, and a resumed queue is woken where it would sleep."""

from __future__ import annotations

import pytest

from exporter.errors import TargetUnsupported
from exporter.simulator import World
from exporter.stalwart.operator.effects import Result
from tests.support.rigs.operator import Rig, deferred, operate

NESTED, FLAT, SLEEPING_JMAP, AWAKE_JMAP = "0.12.5", "0.15.5", "0.16.12", "0.16.13"


def paused_for_an_hour(world: World) -> None:
    world.pause_queue()
    world.advance(3600)


@pytest.mark.parametrize(("version", "result"), [(NESTED, "applied"), (FLAT, "applied"), (AWAKE_JMAP, "unconfirmed")])
def test_a_pause_is_read_back_where_the_release_reports_it(version: str, result: str) -> None:
    """From v0.16 on nothing does."""

    async def scenario(rig: Rig) -> None:
        effect = await rig.switch().pause()

        assert effect.result.value == result
        assert not rig.server.call(lambda world: world.running)
        assert rig.record.rows == [["pause", "", 0, effect.result]]

    operate(scenario, version)


def test_a_second_pause_changes_nothing() -> None:
    """Nor is it recorded."""

    async def scenario(rig: Rig) -> None:
        effect = await rig.switch().pause()

        assert (effect.result, effect.detail) == (Result.APPLIED, "it was paused already")
        assert rig.record.rows == []

    operate(scenario, FLAT, World.pause_queue)


@pytest.mark.parametrize("version", [FLAT, SLEEPING_JMAP, AWAKE_JMAP])
def test_a_resumed_queue_makes_attempts(version: str) -> None:
    """Where it would sleep, one due message is retried, which is recorded."""

    async def scenario(rig: Rig) -> None:
        effect = await rig.switch().resume()

        assert effect.result is Result.APPLIED
        assert min(rig.attempts().values()) >= 2
        kicks = [row for row in rig.record.rows if row[0] == "kick"]
        assert len(kicks) == (version != AWAKE_JMAP)

    operate(scenario, version, deferred(["a@defer.test"], ["b@defer.test"]), paused_for_an_hour)


@pytest.mark.parametrize("version", [FLAT, SLEEPING_JMAP])
def test_a_queue_without_due_mail_is_woken_without_an_attempt(version: str) -> None:
    """The next message is attempted when it is due."""

    async def scenario(rig: Rig) -> None:
        effect = await rig.switch().resume()
        at_once = rig.attempts()
        rig.server.advance(900)

        assert effect.result is Result.APPLIED
        assert at_once == {"a@defer.test": 1}
        assert rig.attempts()["a@defer.test"] > 1

    operate(scenario, version, deferred(["a@defer.test"]), World.pause_queue)


def test_up_to_0_12_only_a_named_message_is_retried() -> None:
    """A retried message bounces there if its attempt is deferred again."""

    async def scenario(rig: Rig) -> None:
        unnamed = await rig.switch().resume()
        asleep = rig.attempts()
        [message] = await rig.queue()
        named = await rig.switch().resume(message.id)

        assert unnamed.result is Result.NOT_APPLIED
        assert "--kick" in unnamed.detail
        assert asleep == {"a@defer.test": 1}
        assert named.result is Result.APPLIED
        assert [row[:2] for row in rig.record.rows] == [["resume", ""], ["resume", ""], ["kick", message.id]]

    operate(scenario, NESTED, deferred(["a@defer.test"]), paused_for_an_hour)


def test_v0_10_cannot_be_paused() -> None:
    """It has no such request, so none is recorded."""

    async def scenario(rig: Rig) -> None:
        with pytest.raises(TargetUnsupported, match="cannot be paused"):
            await rig.switch().pause()

        assert rig.record.rows == []

    operate(scenario, "0.10.7")
