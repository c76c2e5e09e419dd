"""Look-ups: one at a time per name, each on its own thread, and the last good addresses while there is no answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from exporter.stalwart.http.resolver import PATIENCE_SECONDS, Resolver, ResolverSilent
from tests.support.virtual_time import run_virtually

HOST = "mx1.example.test"
FIRST, SECOND = ["192.0.2.1", "2001:db8::1"], ["192.0.2.2"]
MISSING = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
FAILING = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
DEADLINE_SECONDS = 10.0

Answer = Sequence[str] | OSError


class NameService:
    """
    What the system's resolver does, one answer per look-up; it hangs while `silent` is set.

    Attributes:
        asked: The names that have been looked up, in order.
        at_once: The most look-ups that were under way at one time.
    """

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[str] = []
        self.at_once = 0
        self._answers = list(answers)
        self._running = 0
        self._may_answer = threading.Event()
        self._may_answer.set()

    def fall_silent(self) -> None:
        """Leave every look-up from now on without an answer."""
        self._may_answer.clear()

    def answer_again(self) -> None:
        """Answer what waits, and whatever comes."""
        self._may_answer.set()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        self._may_answer.wait()
        self._running -= 1
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


@contextmanager
def name_service(*answers: Answer) -> Iterator[NameService]:
    """A name service that lets every thread go at the end."""
    names = NameService(*answers)
    try:
        yield names
    finally:
        names.answer_again()


async def asked(resolver: Resolver, host: str = HOST) -> Sequence[str] | OSError:
    """What *resolver* returns or raises; a look-up that can answer has done so before time passes."""
    asking = asyncio.ensure_future(resolver.addresses(host, timeout_seconds=DEADLINE_SECONDS))
    await asyncio.sleep(0)
    return await ended(asking)


async def ended(asking: asyncio.Future[Sequence[str]]) -> Sequence[str] | OSError:
    try:
        return await asking
    except OSError as error:
        return error


async def all_answered() -> None:
    """Wait for the look-ups under way, and have their answers taken in."""
    for thread in threading.enumerate():
        if thread.name.startswith("resolver-"):
            thread.join()
    await asyncio.sleep(0)


async def asked_and_answered(resolver: Resolver) -> Sequence[str] | OSError:
    """The same with a resolver that answers."""
    asking = asyncio.ensure_future(resolver.addresses(HOST, timeout_seconds=DEADLINE_SECONDS))
    await asyncio.sleep(0)
    await all_answered()
    return await ended(asking)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_without_addresses_from_before_the_deadline_is_the_callers():
    """A silent resolver costs exactly the time that the caller allows."""

    async def scenario() -> float:
        with name_service(FIRST) as names:
            names.fall_silent()

            outcome = await asked(Resolver(lookup=names))

            assert isinstance(outcome, ResolverSilent)
            return now()

    assert run_virtually(scenario()) == DEADLINE_SECONDS


def test_addresses_from_before_are_used_while_the_resolver_is_silent():
    """The first connection waits a second for a better answer, the others not at all."""

    async def scenario() -> None:
        with name_service(FIRST, SECOND) as names:
            resolver = Resolver(lookup=names)
            await asked_and_answered(resolver)
            names.fall_silent()

            assert await asked(resolver) == tuple(FIRST)
            assert now() == PATIENCE_SECONDS
            assert await asked(resolver) == tuple(FIRST)
            assert now() == PATIENCE_SECONDS

    run_virtually(scenario())


def test_patience_is_never_longer_than_the_callers_deadline():
    """Half a second allowed is half a second waited."""

    async def scenario() -> float:
        with name_service(FIRST, SECOND) as names:
            resolver = Resolver(lookup=names)
            await asked_and_answered(resolver)
            names.fall_silent()

            assert await resolver.addresses(HOST, timeout_seconds=0.5) == tuple(FIRST)
            return now()

    assert run_virtually(scenario()) == 0.5


def test_a_late_answer_replaces_the_addresses_from_before():
    """A resolver that comes back is believed, and waited for again."""

    async def scenario() -> None:
        with name_service(FIRST, SECOND, FIRST) as names:
            resolver = Resolver(lookup=names)
            await asked_and_answered(resolver)
            names.fall_silent()
            await asked(resolver)
            names.answer_again()
            await all_answered()

            names.fall_silent()
            before = now()
            assert await asked(resolver) == tuple(SECOND)
            assert now() - before == PATIENCE_SECONDS

    run_virtually(scenario())


def test_addresses_from_before_are_used_while_the_resolver_fails():
    """SERVFAIL is the resolver's trouble and says nothing about the name."""

    async def scenario() -> None:
        with name_service(FIRST, FAILING, FAILING, SECOND) as names:
            resolver = Resolver(lookup=names)
            await asked_and_answered(resolver)

            assert await asked_and_answered(resolver) == tuple(FIRST)
            assert await asked_and_answered(resolver) == tuple(FIRST)
            assert await asked_and_answered(resolver) == SECOND
            assert names.asked == [HOST] * 4

    run_virtually(scenario())


def test_a_name_that_is_reported_missing_is_dropped():
    """Its last addresses are not used any more, not even once the resolver fails."""

    async def scenario() -> None:
        with name_service(FIRST, MISSING, FAILING) as names:
            resolver = Resolver(lookup=names)
            await asked_and_answered(resolver)

            assert await asked_and_answered(resolver) is MISSING
            assert await asked_and_answered(resolver) is FAILING

    run_virtually(scenario())


def test_a_failing_resolver_is_reported_where_nothing_is_known():
    """There is nothing to fall back on at the first look-up."""

    async def scenario() -> None:
        with name_service(FAILING, FIRST) as names:
            resolver = Resolver(lookup=names)

            assert await asked_and_answered(resolver) is FAILING
            assert await asked_and_answered(resolver) == FIRST

    run_virtually(scenario())


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


def test_an_address_is_not_looked_up():
    """Nothing but the address itself is returned for one."""

    async def scenario() -> None:
        with name_service() as names:
            for address in ("192.0.2.9", "2001:db8::9", "fe80::1%eth0"):
                assert await asked(Resolver(lookup=names), address) == (address,)
            assert names.asked == []

    run_virtually(scenario())


@pytest.mark.parametrize("host", ["a" * 64 + ".example.test", "a..b", "mx\0.example.test"])
def test_what_is_no_host_name_is_reported_missing(host: str):
    """The system's resolver raises other errors for such a name, which must not leave its look-up unanswered."""

    async def scenario() -> Sequence[str] | OSError:
        asking = asyncio.ensure_future(Resolver().addresses(host, timeout_seconds=DEADLINE_SECONDS))
        await asyncio.sleep(0)
        await all_answered()
        return await ended(asking)

    outcome = run_virtually(scenario())

    assert isinstance(outcome, socket.gaierror)
    assert outcome.errno == socket.EAI_NONAME


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
