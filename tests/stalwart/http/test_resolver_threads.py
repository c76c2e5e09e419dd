"""The threads that look-ups take."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from exporter.stalwart.http.resolver import Resolver, ResolverSilent
from tests.support.servers.names import (
    DEADLINE_SECONDS,
    FAILING,
    FIRST,
    HOST,
    SECOND,
    Answer,
    NameService,
    all_answered,
    asked,
    asked_and_answered,
    name_service,
    now,
)
from tests.support.virtual_time import run_virtually


def test_a_name_has_one_look_up_at_a_time():
    """Whoever asks meanwhile waits for the same answer; another name has a look-up of its own."""

    async def scenario() -> None:
        with name_service(FIRST, FIRST) as names:
            names.fall_silent()
            resolver = Resolver(lookup=names)
            asking = [asyncio.ensure_future(asked(resolver)) for _ in range(5)]
            asking.append(asyncio.ensure_future(asked(resolver, "mx2.example.test")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            names.answer_again()
            await all_answered()

            assert await asyncio.gather(*asking) == [FIRST] * 6
            assert sorted(names.asked) == [HOST, "mx2.example.test"]

    run_virtually(scenario())


def test_a_hanging_look_up_is_not_joined_by_a_second_one():
    """However often the name is needed while the resolver is silent, one thread waits for it."""

    async def scenario() -> None:
        with name_service(FIRST) as names:
            names.fall_silent()
            resolver = Resolver(lookup=names)
            for _ in range(5):
                assert isinstance(await asked(resolver), ResolverSilent)

            assert names.at_once == len(names.asked) == 1
            assert now() == 5 * DEADLINE_SECONDS

    run_virtually(scenario())


@contextmanager
def no_thread_left() -> Iterator[None]:
    """The system refuses every new thread: none has room for a stack of this size."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


def test_a_look_up_without_a_thread_fails_and_is_tried_again():
    """A limit on threads that is met once does not leave the name unanswered for good."""

    async def scenario() -> None:
        with name_service(FIRST, SECOND) as names:
            resolver = Resolver(lookup=names)
            with no_thread_left():
                assert isinstance(await asked(resolver), OSError)
            assert await asked_and_answered(resolver) == FIRST
            with no_thread_left():
                assert await asked(resolver) == tuple(FIRST)
            assert names.asked == [HOST]

    run_virtually(scenario())


@pytest.mark.parametrize("outcome", [FIRST, FAILING], ids=["answer", "error"])
def test_the_end_of_the_loop_does_not_wait_for_a_look_up(outcome: Answer):
    """A look-up that answers after the loop has ended disturbs nobody."""
    with name_service(outcome) as names:
        names.fall_silent()

        run_virtually(_give_up(names))

        assert _waiting_threads() == 1
        names.answer_again()
        _join(lambda thread: thread.name == f"resolver-{HOST}")


async def _give_up(names: NameService) -> None:
    assert isinstance(await asked(Resolver(lookup=names)), ResolverSilent)


def _waiting_threads() -> int:
    return sum(thread.name == f"resolver-{HOST}" and thread.daemon for thread in threading.enumerate())


def _join(chosen: Callable[[threading.Thread], bool]) -> None:
    for thread in filter(chosen, threading.enumerate()):
        thread.join()
