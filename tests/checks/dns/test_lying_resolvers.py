"""Responses that cannot be believed: each is as if there were none."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.answers import Answer, Status
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.dns.resolver import DnsResolver
from exporter.clock import SystemClock
from tests.support.dns.server import DnsServer, Mend, dns_server, failing

NAME = "name.example.test"
TEXT = f'{NAME}. IN TXT "found"'


def texts(server: DnsServer, name: str = NAME, *, timeout_seconds: float = 5.0) -> Answer[str]:
    """Asks for the texts of a name."""
    budget = QueryBudget(clock=SystemClock(), per_second=95)
    address = ResolverAddress("127.0.0.1", server.port)
    resolver = DnsResolver([address], budget, timeout_seconds=timeout_seconds, trusted=True)
    return asyncio.run(resolver.texts(name))


def other_id(query: dns.message.Message, response: dns.message.Message) -> bytes:
    """The answer to another query."""
    wire = response.to_wire()
    return struct.pack("!H", query.id ^ 1) + wire[2:]


def other_question(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """An answer to another question, with the right id."""
    forged = dns.message.make_response(dns.message.make_query("other.example.test", "TXT"))
    forged.id = query.id
    return forged


def other_name(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """Records of another name."""
    response.answer[:] = [dns.rrset.from_text("other.example.test.", 60, "IN", "TXT", '"found"')]
    return response


def looping(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """Aliases that lead back."""
    response.answer[:] = [
        dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "a.test."),
        dns.rrset.from_text("a.test.", 60, "IN", "CNAME", f"{NAME}."),
    ]
    return response


def endless(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """An alias of a longer name, whatever is asked."""
    name = query.question[0].name
    target = dns.name.from_text(f"x{len(name.labels)}.{name.to_text()}"[-200:])
    response.set_rcode(dns.rcode.NOERROR)
    response.answer[:] = [dns.rrset.from_text(name, 60, "IN", "CNAME", target.to_text())]
    return response


def garbage(query: dns.message.Message, response: dns.message.Message) -> bytes:
    """Not DNS."""
    return b"\x00" * 7


def referring(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """The servers of a zone, from a server that does not resolve."""
    referral = dns.message.make_response(query)
    referral.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.elsewhere.test."))
    return referral


@pytest.mark.parametrize(
    "mend",
    [
        other_id,
        other_question,
        other_name,
        looping,
        endless,
        garbage,
        referring,
        *map(failing, ("SERVFAIL", "REFUSED")),
    ],
)
def test_what_cannot_be_believed_says_nothing(mend: Mend) -> None:
    """Neither that there are records nor that there are none."""
    with dns_server(TEXT) as server:
        server.mend = mend
        answer = texts(server, timeout_seconds=0.3)

    assert answer.status is Status.FAILED
    assert answer.why


def test_a_forged_response_before_the_right_one_is_ignored() -> None:
    """Whoever guesses wrongly does not keep the right answer out: both arrive, and the wrong id is dropped."""
    sent: list[bytes] = []

    def mend(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message | bytes:
        if not sent:
            sent.append(b"")
            return other_id(query, response)
        return response

    with dns_server(TEXT) as server:
        server.mend = mend
        answer = texts(server, timeout_seconds=0.5)

    assert answer.values == ("found",)


def test_a_long_answer_is_asked_for_again_over_tcp() -> None:
    """A truncated response is not an answer."""
    chunks = " ".join(['"' + "x" * 250 + '"'] * 12)
    with dns_server(f"{NAME}. IN TXT {chunks}") as server:
        answer = texts(server)

        assert answer.values == ("x" * 3000,)
        assert server.over_tcp == 1


def test_an_answer_over_tcp_that_is_still_truncated_says_nothing() -> None:
    """A server that truncates everywhere."""

    def mend(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response

    with dns_server(TEXT) as server:
        server.mend = mend

        assert texts(server).status is Status.FAILED


@pytest.mark.parametrize(
    ("lines", "status"),
    [((), Status.NO_NAME), ((f"{NAME}. IN A 192.0.2.1",), Status.NO_DATA), ((TEXT,), Status.FOUND)],
)
def test_absence_is_certain(lines: tuple[str, ...], status: Status) -> None:
    """A name that does not exist, one without the type, and one with it."""
    with dns_server(*lines) as server:
        assert texts(server).status is status


def test_aliases_are_followed_to_their_end() -> None:
    """Whether the resolver does so itself or not."""

    def first_only(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
        del response.answer[1:]
        return response

    lines = (f"{NAME}. IN CNAME b.test.", "b.test. IN CNAME c.test.", 'c.test. IN TXT "found"')
    mends: tuple[Callable[..., dns.message.Message] | None, ...] = (None, first_only)
    for mend in mends:
        with dns_server(*lines) as server:
            server.mend = mend
            answer = texts(server)

            assert (answer.values, answer.name) == (("found",), "c.test")


def test_names_that_are_none_are_not_asked_for() -> None:
    """Text from elsewhere never becomes a query of its own shape."""
    with dns_server() as server:
        answers = [texts(server, name) for name in ("a" * 64 + ".test", "..", "x" * 300)]

        assert [answer.status for answer in answers] == [Status.NO_NAME] * 3
        assert server.asked == []


def test_a_dead_resolver_is_given_up() -> None:
    """After some queries without a response, the rest of a run takes no time."""
    budget = QueryBudget(clock=SystemClock(), per_second=95)
    with dns_server() as server:
        server.mend = lambda query, response: None
        address = ResolverAddress("127.0.0.1", server.port)
        resolver = DnsResolver([address], budget, timeout_seconds=0.05, trusted=True)

        async def ask() -> list[Answer[str]]:
            return [await resolver.texts(f"n{number}.test") for number in range(200)]

        answers = asyncio.run(ask())

        assert all(answer.failed for answer in answers)
        assert len(server.asked) < 20


def test_a_cancelled_query_always_ends() -> None:
    """Also if the response comes in the same moment: whoever asks on would keep the exporter from stopping."""
    budget = QueryBudget(clock=SystemClock(), per_second=1e9)

    async def ask_for_ever(server: DnsServer) -> None:
        while True:
            address = ResolverAddress("127.0.0.1", server.port)
            resolver = DnsResolver([address], budget, timeout_seconds=5.0, trusted=True)
            await resolver.texts(NAME)

    async def run(server: DnsServer) -> list[bool]:
        ended = []
        for turns in range(0, 120, 2):
            before = len(server.asked)
            task = asyncio.create_task(ask_for_ever(server))
            while len(server.asked) == before:  # noqa: ASYNC110 - the server is on another thread
                await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=20)
            ended.append(bool(done) and task.cancelled())
        return ended

    with dns_server(TEXT) as server:
        assert all(asyncio.run(run(server)))
