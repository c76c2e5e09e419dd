"""Look-ups: one at a time per name, each on its own thread, and the last good addresses while there is no answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from exporter.stalwart.http.resolver import PATIENCE_SECONDS, Resolver, ResolverSilent
from tests.support.servers.names import (
    DEADLINE_SECONDS,
    FAILING,
    FIRST,
    HOST,
    SECOND,
    all_answered,
    asked,
    asked_and_answered,
    ended,
    name_service,
    now,
)
from tests.support.virtual_time import run_virtually

MISSING = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


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
