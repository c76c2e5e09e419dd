"""The resolver that all checks ask: remembers a run's answers, gives up on a dead server, never raises."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.reversename

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.answers import Answer, Mx, Srv, Status, Tlsa, failed
from exporter.checks.dns.exchange import ExchangeFailed, ResolverAddress, exchange
from exporter.checks.dns.reading import Read, host_text, read_response

REMEMBERED = 4096
"""The most answers that one run remembers; mail hosts and included SPF records are asked for again and again."""

MOST_HOPS = 4
"""The most responses in a row that only have an alias."""

ATTEMPTS = 2
SILENCES = 30
FIRST_SILENCES = 8
"""After this many queries in a row without a response (the first ones of a run), the rest of the run is not asked."""

_Question = tuple[str, dns.rdatatype.RdataType]


class DnsResolver:
    """
    Asks *servers* in order, for one run of checks. Every method returns an `Answer` and none raises.

    *trusted* says that answers marked as validated may be believed: the way to the resolver is secure.
    """

    def __init__(
        self, servers: Sequence[ResolverAddress], budget: QueryBudget, *, timeout_seconds: float, trusted: bool
    ) -> None:
        self._servers = tuple(servers)
        self._budget = budget
        self._timeout_seconds = timeout_seconds
        self._trusted = trusted
        self._answers: dict[_Question, asyncio.Future[Answer[Any]]] = {}
        self._silences = 0
        self._answered = False

    async def texts(self, name: str) -> Answer[str]:
        """Return the texts of TXT records, their chunks joined, one character per byte."""
        return await self._look_up(name, dns.rdatatype.TXT)

    async def mail_hosts(self, name: str) -> Answer[Mx]:
        """Return the MX records."""
        return await self._look_up(name, dns.rdatatype.MX)

    async def services(self, name: str) -> Answer[Srv]:
        """Return the SRV records."""
        return await self._look_up(name, dns.rdatatype.SRV)

    async def certificates(self, name: str) -> Answer[Tlsa]:
        """Return the TLSA records."""
        return await self._look_up(name, dns.rdatatype.TLSA)

    async def pointers(self, address: str) -> Answer[str]:
        """Return the names of an IP address."""
        return await self._look_up(host_text(dns.reversename.from_address(address)), dns.rdatatype.PTR)

    async def addresses_of_family(self, name: str, version: int) -> Answer[str]:
        """Return the IPv4 (4) or IPv6 (6) addresses of a host."""
        return await self._look_up(name, dns.rdatatype.A if version == 4 else dns.rdatatype.AAAA)

    async def addresses(self, name: str) -> Answer[str]:
        """Return the addresses of a host of both families; found if either has some, failed if neither is known."""
        four = await self.addresses_of_family(name, 4)
        if four.status is Status.NO_NAME:
            return four
        six = await self.addresses_of_family(name, 6)
        values = (*four.values, *six.values)
        if values:
            authenticated = all(part.authenticated for part in (four, six) if part.values)
            return Answer(status=Status.FOUND, values=values, name=four.name or six.name, authenticated=authenticated)
        return next((part for part in (four, six) if part.failed), four)

    async def any_addresses(self, name: str) -> Answer[str]:
        """Return the IPv4 addresses of a host, or if it has none, its IPv6 addresses."""
        four = await self.addresses_of_family(name, 4)
        return await self.addresses_of_family(name, 6) if four.status is Status.NO_DATA else four

    async def _look_up(self, name: str, kind: dns.rdatatype.RdataType) -> Answer[Any]:
        question = (name.lower().removesuffix("."), kind)
        held = self._answers.get(question)
        if held is not None:
            return await asyncio.shield(held)
        while len(self._answers) >= REMEMBERED and next(iter(self._answers.values())).done():
            del self._answers[next(iter(self._answers))]
        future = self._answers[question] = asyncio.get_running_loop().create_future()
        answer: Answer[Any] = failed("the check was ended")
        try:
            answer = await self._ask(question[0], kind)
        finally:
            future.set_result(answer)
        return answer

    async def _ask(self, text: str, kind: dns.rdatatype.RdataType) -> Answer[Any]:
        try:
            name = dns.name.from_text(text)
        except (dns.exception.DNSException, UnicodeError, ValueError):
            return Answer(status=Status.NO_NAME, name=text)
        if name == dns.name.root:
            return Answer(status=Status.NO_NAME, name=text)
        authenticated = self._trusted
        for _ in range(MOST_HOPS):
            read, validated = await self._read(name, kind)
            authenticated = authenticated and validated
            if not read.elsewhere:
                return Answer(
                    status=read.status,
                    values=read.values,
                    name=host_text(read.name),
                    authenticated=authenticated,
                    why=read.why,
                )
            name = read.name
        return failed("the aliases form a loop or a long chain")

    async def _read(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> tuple[Read, bool]:
        """Return what the first usable response says, and whether it claims to be validated."""
        why = "no resolver is configured"
        for _ in range(ATTEMPTS):
            for server in self._servers:
                if self._silences >= (SILENCES if self._answered else FIRST_SILENCES):
                    return Read(Status.FAILED, (), name, why="no resolver answers"), False
                try:
                    response = await exchange(name, kind, server, self._budget, timeout_seconds=self._timeout_seconds)
                except ExchangeFailed as error:
                    self._silences = self._silences + 1 if error.silent else 0
                    why = str(error)
                    continue
                self._silences, self._answered = 0, True
                read = read_response(response, name, kind)
                if read.status is not Status.FAILED:
                    return read, bool(response.flags & dns.flags.AD)
                why = read.why
        return Read(Status.FAILED, (), name, why=why), False


def are_local(servers: Sequence[ResolverAddress]) -> bool:
    """Whether all resolvers run on this machine, so that nobody can change their answers on the way."""
    return bool(servers) and all(ipaddress.ip_address(server.host).is_loopback for server in servers)
