"""The rate of queries."""

from __future__ import annotations

import asyncio

from exporter.checks.budget import QueryBudget
from tests.support.virtual_time import VirtualClock, run_virtually


def sent(count: int, *, per_second: float, askers: int = 1, idle: float = 0.0) -> list[float]:
    """When *count* queries were admitted, after a time without any."""
    moments: list[float] = []

    async def ask(budget: QueryBudget, clock: VirtualClock) -> None:
        for _ in range(count // askers):
            await budget.wait()
            moments.append(clock.monotonic())

    async def run() -> None:
        clock = VirtualClock()
        budget = QueryBudget(clock=clock, per_second=per_second)
        await clock.sleep(idle)
        await asyncio.gather(*(ask(budget, clock) for _ in range(askers)))

    run_virtually(run())
    return moments


def most_in_a_second(moments: list[float]) -> int:
    """The most queries in any second."""
    return max(sum(start <= moment < start + 1 for moment in moments) for start in moments)


def test_no_second_has_a_hundred_queries() -> None:
    """Also with many askers, at the highest rate, and after a long pause, whose budget is not saved up."""
    for askers in (1, 50):
        moments = sent(1000, per_second=1e9, askers=askers, idle=3600)

        assert most_in_a_second(moments) < 100
        assert moments[-1] - moments[0] < 12


def test_a_low_rate_is_kept() -> None:
    """One query per second, but for the first few."""
    moments = sent(20, per_second=1)

    assert most_in_a_second(moments) <= 5
    assert moments[-1] - moments[0] >= 15
