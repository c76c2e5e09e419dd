"""Supervised tasks: whatever ends one, it starts again, and nothing beside it ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from exporter.app.servers.supervise import Supervisor
from tests.support.virtual_time import HandClock


class Surprise(Exception):
    """What nobody has thought of."""


async def raises() -> None:
    raise Surprise


async def returns() -> None:
    return


async def is_cancelled_by_what_it_waits_for() -> None:
    waited_for = asyncio.ensure_future(asyncio.Event().wait())
    waited_for.cancel()
    await waited_for


@pytest.mark.parametrize("end", [raises, returns, is_cancelled_by_what_it_waits_for])
def test_whatever_ends_a_task_it_is_counted_and_started_again(end: Callable[[], Awaitable[None]]):
    """An exception, a return and a stray cancellation are alike; the task beside it goes on undisturbed."""
    causes: list[str] = []
    begun = {"ending": 0, "beside": 0}

    async def scenario() -> None:
        again = asyncio.Event()

        async def ending() -> None:
            begun["ending"] += 1
            if begun["ending"] > 3:
                again.set()
                await asyncio.Event().wait()
            await end()

        async def beside() -> None:
            begun["beside"] += 1
            await asyncio.Event().wait()

        supervisor = Supervisor(clock=HandClock(), rng=random.Random(1))  # noqa: S311 - jitter
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(supervisor.keep_running(ending, task="queue", server="mx1", ended=causes.append)),
                group.create_task(supervisor.keep_running(beside, task="logs", server="mx1", ended=causes.append)),
            ]
            await again.wait()
            for task in tasks:
                task.cancel()

    asyncio.run(scenario())

    assert begun == {"ending": 4, "beside": 1}
    assert len(causes) == 3


def test_each_end_in_a_row_is_followed_by_a_longer_wait():
    """A task that ends at once is not started in a loop."""
    clock = HandClock()

    async def scenario() -> None:
        supervisor = Supervisor(clock=clock, rng=random.Random(1))  # noqa: S311 - jitter
        causes = asyncio.Queue[str]()
        task = asyncio.create_task(supervisor.keep_running(raises, task="queue", ended=causes.put_nowait))
        for _ in range(12):
            await causes.get()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(scenario())

    assert all(later > earlier for earlier, later in zip(clock.slept[0:6:2], clock.slept[2:8:2], strict=True))
    assert max(clock.slept) <= 300


def test_cancelling_the_supervisor_ends_the_task_first():
    """Whoever stops a server has stopped all of it."""
    ended: list[str] = []

    async def scenario() -> None:
        begun = asyncio.Event()

        async def slow_to_end() -> None:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append("task")

        supervisor = Supervisor(clock=HandClock(), rng=random.Random(1))  # noqa: S311 - jitter
        task = asyncio.create_task(supervisor.keep_running(slow_to_end, task="queue"))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        ended.append("supervisor")
        assert task.cancelled()

    asyncio.run(scenario())

    assert ended == ["task", "supervisor"]
