"""Each change is read back, on every kind of release."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exporter.errors import TargetError, TargetForbidden
from exporter.simulator import World
from exporter.simulator.harness.faults import FaultKind
from exporter.stalwart.operator.client import Target
from exporter.stalwart.operator.control import CHUNK, Cancel, Retry
from exporter.stalwart.operator.effects import Result
from exporter.stalwart.operator.selection import Selection
from tests.support.rigs.operator import PERMISSIONS, Rig, deferred, operate

NESTED, OLD_JMAP, NEW_JMAP, FLAT = "0.12.5", "0.16.8", "0.16.18", "0.15.5"
EVERY = (NESTED, FLAT, OLD_JMAP, NEW_JMAP)
IGNORING = (FLAT, OLD_JMAP)


@pytest.mark.parametrize("version", EVERY)
def test_a_retry_is_reported_as_applied_only_if_it_was(version: str) -> None:
    """Where the release accepts it without effect, the words say so."""

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Retry())

        ignored = version in IGNORING
        assert results == [Result.NOT_APPLIED if ignored else Result.APPLIED]
        assert rig.attempts() == {"u@defer.test": 1 if ignored else 2}
        assert ("ignores this" in rig.done[0][1].detail) == ignored
        assert [row[0] for row in rig.record.rows] == ["retry"]
        assert [row[3] for row in rig.record.rows] == results

    operate(scenario, version, deferred(["u@defer.test"]))


@pytest.mark.parametrize("version", EVERY)
def test_one_recipient_is_retried_alone(version: str) -> None:
    """Up to v0.12 its whole domain would be, so another recipient there forbids it."""

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Retry(), recipient="a@defer.test")

        told = {NESTED: Result.UNSAFE, FLAT: Result.NOT_APPLIED, OLD_JMAP: Result.NOT_APPLIED}
        assert results == [told.get(version, Result.APPLIED)]
        tried = 2 if version == NEW_JMAP else 1
        assert rig.attempts() == {"a@defer.test": tried, "b@defer.test": 1, "c@refused.test": 1}

    operate(scenario, version, deferred(["a@defer.test", "b@defer.test", "c@refused.test"]))


@pytest.mark.parametrize("version", [FLAT, NEW_JMAP])
def test_a_recipient_whose_address_is_part_of_another_is_protected(version: str) -> None:
    """Up to v0.15 the server's filter is a substring; a cancellation would even hit who was delivered."""

    mail = deferred(["x1@defer.test", "xx1@defer.test"])

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Cancel(), recipient="x1@defer.test")

        cancelled = version == NEW_JMAP
        assert results == [Result.APPLIED if cancelled else Result.UNSAFE]
        expected = {"x1@defer.test": "perm_fail" if cancelled else "temp_fail", "xx1@defer.test": "temp_fail"}
        assert rig.statuses() == expected
        assert len(rig.record.rows) == cancelled

    operate(scenario, version, mail, remote_queue="default")


@pytest.mark.parametrize("version", EVERY)
def test_one_recipient_is_cancelled_alone(version: str) -> None:
    """Where the release ignores that, the message is as before and the result says so."""

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Cancel(), recipient="a@defer.test")

        ignored = version in IGNORING
        assert results == [Result.NOT_APPLIED if ignored else Result.APPLIED]
        assert rig.statuses() == {
            "a@defer.test": "temp_fail" if ignored else "perm_fail",
            "b@defer.test": "temp_fail",
            "a@refused.test": "temp_fail",
        }

    operate(scenario, version, deferred(["a@defer.test", "b@defer.test"], ["a@refused.test"]))


@pytest.mark.parametrize("version", EVERY)
def test_a_message_whose_recipients_all_match_is_removed(version: str) -> None:
    """That works on every release."""

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Cancel(), domain="defer.test")

        assert results == [Result.APPLIED]
        assert rig.statuses() == {"c@refused.test": "temp_fail"}

    operate(scenario, version, deferred(["a@defer.test", "b@defer.test"], ["c@refused.test"]))


@pytest.mark.parametrize("version", EVERY)
def test_a_message_that_an_attempt_writes_back_is_cancelled_again(version: str) -> None:
    """The first answer says it is gone."""

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Cancel())

        assert results == [Result.APPLIED]
        assert "cancelled again" in rig.done[0][1].detail
        assert rig.statuses() == {}
        rig.server.advance(3600)
        assert rig.statuses() == {}

    operate(scenario, version, deferred(["u@hang.test"]), greeting_timeout_seconds=20.0)


def test_a_message_that_does_not_come_back_is_watched_for_a_while() -> None:
    """The words say for how long, and that an attempt was due."""

    async def scenario(rig: Rig) -> None:
        rig.server.advance(600)
        before = rig.clock.monotonic()
        results = await rig.change(Cancel(watch_seconds=60))

        assert results == [Result.APPLIED]
        assert "not written back within 60 s" in rig.done[0][1].detail
        assert rig.clock.monotonic() - before >= 60

    operate(scenario, FLAT, deferred(["u@defer.test"]), World.pause_queue)


@pytest.mark.parametrize("version", EVERY)
def test_a_message_that_has_left_meanwhile_is_not_touched(version: str) -> None:
    """It was delivered between the reading and the change."""

    async def scenario(rig: Rig) -> None:
        first, second = await rig.queue()
        rig.server.call(lambda world: world.operations.cancel(min(world.queue.messages), None))
        await rig.control().run(Cancel(), [Target(first), Target(second)], Selection())

        assert [(id_, effect.result) for id_, effect in rig.done] == [
            (first.id, Result.LEFT),
            (second.id, Result.APPLIED),
        ]
        assert [row[1] for row in rig.record.rows] == [second.id]

    operate(scenario, version, deferred(["a@defer.test"], ["b@defer.test"]))


@pytest.mark.parametrize("version", [NESTED, NEW_JMAP])
def test_an_attempt_can_be_requested_for_a_time(version: str) -> None:
    """The next retry is that time, to the second."""

    async def scenario(rig: Rig) -> None:
        at = rig.clock.now() + timedelta(hours=2)
        results = await rig.change(Retry(at))
        [message] = await rig.queue()

        assert results == [Result.APPLIED]
        assert message.next_retry_at() == at.replace(microsecond=0)

    operate(scenario, version, deferred(["a@defer.test"]))


def test_a_retry_in_a_paused_queue_waits() -> None:
    """The result names the pause where the server reports it."""

    mail = deferred(["a@defer.test"])

    async def scenario(rig: Rig) -> None:
        results = await rig.change(Retry())

        assert results == [Result.APPLIED]
        assert rig.done[0][1].detail == "it waits: the queue is paused"

    operate(scenario, FLAT, mail, World.pause_queue, remote_queue="default")


@pytest.mark.parametrize(("version", "permission"), [(FLAT, "message-queue-delete"), (NEW_JMAP, "permission")])
def test_a_login_without_permission_ends_the_work_at_once(version: str, permission: str) -> None:
    """One refusal is enough: each raises the server's own counters."""

    mail = deferred(["a@defer.test"], ["b@defer.test"], ["c@defer.test"])
    reader = PERMISSIONS - {"message-queue-delete"}

    async def scenario(rig: Rig) -> None:
        with pytest.raises(TargetForbidden, match=permission):
            await rig.change(Cancel())

        assert [effect.result for _, effect in rig.done] == [Result.REFUSED]
        assert len(rig.statuses()) == 3

    operate(scenario, version, mail, permissions=reader)


@pytest.mark.parametrize("version", [FLAT, NEW_JMAP])
def test_stopping_ends_after_the_running_message(version: str) -> None:
    """What was requested is still read back, and nothing else is begun."""

    mail = deferred(*([f"u{number}@refused.test"] for number in range(CHUNK + 3)))

    async def scenario(rig: Rig) -> None:
        rig.on_report = rig.stopping.set
        results = await rig.change(Cancel())

        assert results == [Result.APPLIED] * CHUNK
        assert len(rig.statuses()) == 3

    operate(scenario, version, mail)


@pytest.mark.parametrize("version", [FLAT, NEW_JMAP])
def test_a_change_whose_answer_is_lost_is_read_back(version: str) -> None:
    """It may have been made: the message is looked at again, and the work ends."""
    change = {"method": "DELETE"} if version == FLAT else {"path": "/jmap/", "skip": 1}

    async def scenario(rig: Rig) -> None:
        targets = [Target(message) for message in await rig.queue()]
        rig.server.faults.add(FaultKind.CLOSE, times=1, **change)
        with pytest.raises(TargetError):
            await rig.control().run(Cancel(), targets, Selection())

        assert [(id_, effect.result) for id_, effect in rig.done] == [(targets[0].message.id, Result.LOST)]
        assert len(rig.statuses()) == 2

    operate(scenario, version, deferred(["a@refused.test"], ["b@refused.test"]))
