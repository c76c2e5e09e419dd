"""Lists that have an address or not, and lists that cannot be believed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import dns.message
import dns.rcode
import dns.rrset
import pytest

from exporter.checks.blocklists.run import BlocklistChecker
from exporter.checks.domains.run import OwnSettings
from exporter.clock import Clock, SystemClock
from exporter.model.posture import CheckOutcome, CheckResult
from tests.support.dns.server import DnsServer, Mend, dns_server, failing, rewriting, silent
from tests.support.rigs.domain_checks import HOST, checker_for
from tests.support.virtual_time import HandClock

GOOD, BAD, UNKNOWN = CheckResult.GOOD, CheckResult.BAD, CheckResult.UNKNOWN
LIST = "bl.test"
FOUR, SIX = "192.0.2.25", "2001:db8::25"
FOUR_NAME = f"25.2.0.192.{LIST}."
SIX_NAME = f"5.2.0.0.{'0.' * 20}8.b.d.0.1.0.0.2.{LIST}."
MAPPED = f"f.f.f.f.{'0.' * 20}"
TESTS = (
    f"2.0.0.127.{LIST}. IN A 127.0.0.2",
    f"2.0.0.0.0.0.f.7.{MAPPED}{LIST}. IN A 127.0.0.2",
)
"""The entries that every list has."""


def look(
    server: DnsServer,
    *,
    addresses: Sequence[str] = (FOUR, SIX),
    checker: BlocklistChecker | None = None,
    runs: int = 1,
    clock: Clock | None = None,
    timeout_seconds: float = 5.0,
) -> list[CheckOutcome]:
    """The outcome for each address on `LIST`, of the last of several runs."""
    used = checker or BlocklistChecker([LIST], clock=clock or SystemClock())

    async def run() -> list[CheckOutcome]:
        given = OwnSettings(host=HOST, addresses=addresses)
        for _ in range(runs):
            begun = await checker_for(server, timeout_seconds=timeout_seconds).begin([], [], given, ())
            found = await used.check(begun, used.entries(begun, configured=True))
        return found

    return asyncio.run(run())


def results(found: Iterable[CheckOutcome]) -> list[CheckResult]:
    """In the order of the addresses."""
    return [outcome.result for outcome in found]


def test_an_address_is_listed_in_its_family_only() -> None:
    """With the code and the reason that the list gives."""
    reason = f'{FOUR_NAME} IN TXT "see https://bl.test/query \\027[31m"'
    with dns_server(*TESTS, f"{FOUR_NAME} IN A 127.0.0.4", reason) as server:
        four, six = look(server)
        server.zones.add(f"{SIX_NAME} IN A 127.0.0.3")
        again = look(server)

    assert (four.domain, four.result) == (f"{HOST}|{FOUR}@{LIST}", BAD)
    assert four.seen[0].startswith("is listed (127.0.0.4): see https://bl.test/query ")
    assert four.seen[0].isprintable()
    assert six.result is GOOD
    assert results(again) == [BAD, BAD]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("127.255.255.252", "misspelt"),
        ("127.255.255.254", "public resolvers"),
        ("127.255.255.255", "too many queries"),
        ("127.255.255.7", "reports an error (127.255.255.7)"),
        ("198.51.100.1", "no result of a list (198.51.100.1)"),
        ("127.0.0.1", "no result of a list (127.0.0.1)"),
    ],
)
@pytest.mark.parametrize("where", ["test", "own"])
def test_codes_that_are_no_result_are_unknown(code: str, words: str, where: str) -> None:
    """Whether the test entry or an address gets them, and even beside a real code."""
    with dns_server(*TESTS, f"{FOUR_NAME} IN A 127.0.0.2") as server:
        name = FOUR_NAME if where == "own" else f"2.0.0.127.{LIST}."
        server.zones.add(f"{name} IN A {code}")
        [found] = look(server, addresses=[FOUR])

    assert found.result is UNKNOWN
    assert words in found.seen[0]


def everything(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """A list that has everybody, as an abandoned one."""
    name = query.question[0].name
    if name.to_text().endswith(f"{LIST}.") and not response.answer:
        response.set_rcode(dns.rcode.NOERROR)
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.0.0.2"))
    return response


@pytest.mark.parametrize(
    ("mend", "words"),
    [
        (everything, "an entry that no list may have (127.0.0.1)"),
        (failing("SERVFAIL"), "SERVFAIL"),
        (failing("REFUSED"), "REFUSED"),
        (failing("NXDOMAIN"), "does not have its test entry for IPv4 (127.0.0.2)"),
        (silent, "does not answer"),
        (rewriting("127.0.0.9"), "names that do not exist"),
    ],
)
def test_a_list_that_cannot_be_believed_is_unknown(mend: Mend, words: str) -> None:
    """Nothing is listed, nor clean, by what it says; the addresses are not asked for."""
    with dns_server(*TESTS, f"{FOUR_NAME} IN A 127.0.0.2") as server:
        server.mend = mend
        [found] = look(server, addresses=[FOUR], timeout_seconds=0.2)
        asked = {name for name, _, _ in server.asked}

    assert found.result is UNKNOWN
    assert words in found.seen[0]
    assert FOUR_NAME not in asked


def test_a_list_without_ipv6_says_nothing_about_it() -> None:
    """Its IPv4 entries are believed; a list that is known to have no IPv6 is not asked."""
    with dns_server(*TESTS[:1]) as server:
        four, six = look(server)
        known = look(server, checker=BlocklistChecker(["bl.spamcop.net"], clock=SystemClock()))

    assert (four.result, six.result) == (GOOD, UNKNOWN)
    assert "test entry for IPv6" in six.seen[0]
    assert [outcome.domain for outcome in known] == [f"{HOST}|{FOUR}@bl.spamcop.net"]


def test_test_entries_are_asked_for_once_per_hour() -> None:
    """However often, and for whichever server, the list is used."""
    clock = HandClock()
    checker = BlocklistChecker([LIST], clock=clock)
    name = f"2.0.0.127.{LIST}."
    with dns_server(*TESTS) as server:
        look(server, addresses=[FOUR], checker=checker, runs=3)
        first = [asked for asked, _, _ in server.asked].count(name)
        clock.seconds += 3601
        look(server, addresses=[FOUR], checker=checker)
        second = [asked for asked, _, _ in server.asked].count(name)

    assert (first, second) == (1, 2)


def test_addresses_of_this_machine_are_not_looked_for() -> None:
    """Unless the operator has named them."""
    with dns_server(*TESTS, f"{HOST}. IN A 127.0.0.1", f"{HOST}. IN A {FOUR}", f"{HOST}. IN AAAA fe80::1") as server:
        checker = BlocklistChecker([LIST], clock=SystemClock())

        async def learned() -> list[str]:
            begun = await checker_for(server).begin([], [], OwnSettings(host=HOST), ())
            return [entry.address for entry in checker.entries(begun, configured=False)]

        assert asyncio.run(learned()) == [FOUR]
    assert checker.zones == (LIST,)
