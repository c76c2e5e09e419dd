"""How often a server may be asked."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.throttle import Throttle
from tests.support.servers.raw import Asked, reply, run, talking
from tests.support.virtual_time import HandClock


@given(
    pauses=st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=60),
    limit=st.integers(1, 10),
    window=st.floats(0.5, 90),
)
def test_no_window_holds_more_than_the_limit(pauses: list[float], limit: int, window: float) -> None:
    """Whenever requests come, any stretch of the window's length has at most so many."""

    async def pass_all() -> list[float]:
        clock = HandClock()
        throttle = Throttle(clock=clock, requests=limit, window_seconds=window)
        times = []
        for pause in pauses:
            clock.seconds += pause
            await throttle.wait()
            times.append(clock.seconds)
        return times

    times = asyncio.run(pass_all())

    for index, start in enumerate(times):
        # A hair less than the window: its ends are sums of floating point numbers.
        assert bisect_right(times, start + window * (1 - 1e-9)) - index <= limit


def test_requests_below_the_limit_do_not_wait() -> None:
    """The throttle costs nothing while it has nothing to do."""

    async def pass_some() -> list[float]:
        clock = HandClock()
        throttle = Throttle(clock=clock, requests=55)
        for _ in range(55):
            await throttle.wait()
        return clock.slept

    assert asyncio.run(pass_some()) == []


def test_request_above_the_limit_waits_for_the_oldest_to_leave_the_window() -> None:
    """No longer and no shorter than that."""

    async def pass_four() -> float:
        clock = HandClock()
        throttle = Throttle(clock=clock, requests=3, window_seconds=60)
        for _ in range(3):
            await throttle.wait()
            clock.seconds += 10
        await throttle.wait()
        return clock.seconds

    assert asyncio.run(pass_four()) == 60


def test_those_who_wait_pass_in_their_order() -> None:
    """A late comer does not overtake."""

    async def pass_six() -> list[int]:
        throttle = Throttle(clock=HandClock(), requests=2, window_seconds=60)
        passed: list[int] = []

        async def come(number: int) -> None:
            await throttle.wait()
            passed.append(number)

        await asyncio.gather(*(come(number) for number in range(6)))
        return passed

    assert asyncio.run(pass_six()) == list(range(6))


@pytest.mark.parametrize(("limit", "window"), [(0, 60), (-1, 60), (55, 0)])
def test_throttle_that_lets_nothing_pass_is_refused(limit: int, window: float) -> None:
    """It would wait forever."""
    with pytest.raises(ValueError, match="throttle"):
        Throttle(clock=HandClock(), requests=limit, window_seconds=window)


def test_transport_keeps_to_the_limit_on_the_wire() -> None:
    """Sixty requests take more than a minute of the clock, and the server never sees 56 in one."""

    async def ask() -> list[float]:
        clock = HandClock()
        times: list[float] = []

        async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
            times.append(clock.seconds)
            writer.write(reply(200, {"data": True}))

        async with talking(handle, clock=clock, throttle=Throttle(clock=clock)) as (transport, _):
            for _ in range(120):
                await transport.request(Endpoint.QUEUE_STATUS)
        return times

    times = run(ask())

    assert len(times) == 120
    assert all(times[index + 55] - times[index] >= 60 for index in range(65))
