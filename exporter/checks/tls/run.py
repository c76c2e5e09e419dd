"""
The listeners of a server's hosts: which there are, and what each shows.

Each is connected to once per run. Of the usual ports, those on which nothing listens are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from exporter.checks.dns.answers import Answer
from exporter.checks.domains.run import REWRITTEN, CheckRun
from exporter.checks.hosts.access import HostRefused, HostSilent, HostWrong
from exporter.checks.hosts.probe import NotTls, Shown
from exporter.checks.tls.judge import Judge, ListenerFinding, Seen
from exporter.clock import Clock
from exporter.model import inventory
from exporter.model.outside import Family, Listener, Port

MOST_ADDRESSES = 4
"""Addresses of a host and family that are connected to."""

NOT_TLS_SECONDS = 6 * 3600.0
"""
How long a listener is left alone that answered a handshake with something else. The server may count each try as an
attack: by default it bans an address after 30 on a day.
"""

VERSIONS = {Family.IPV4: 4, Family.IPV6: 6}
SHOWN_AS = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """
    What the operator says about the listeners of a server.

    Attributes:
        hosts: Empty: the mail host, otherwise *fallback*.
        fallback: A name of the server, empty if none is known.
        ports: Empty disables the checks.
        expected: Something must listen on each of the ports.
    """

    hosts: Sequence[str] = ()
    fallback: str = ""
    ports: Sequence[Port] = ()
    expected: bool = False

    def names(self, learned: str = "") -> list[str]:
        """Return the names to look at; *learned* is the mail host, empty if it is not known."""
        return [host for host in self.hosts or (learned or self.fallback,) if "." in host]


_Answers = dict[tuple[str, Family], "Answer[str]"]
_AllSeen = dict[Listener, list[tuple[str, Seen]]]


class ListenerChecker:
    """Checks the listeners of one server, run after run, as *settings* say."""

    def __init__(self, settings: ListenerSettings, *, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._not_tls: dict[tuple[str, Port], float] = {}

    async def check(
        self, run: CheckRun, known: Collection[str], stored: Sequence[inventory.Certificate]
    ) -> list[ListenerFinding]:
        """
        Return what is found about each listener.

        *known* are the subjects of those that have had a result before, *stored* the certificates that the server has.
        """
        names = self.settings.names(run.ours.host)
        answers: _Answers = {
            (host, family): await run.resolver.addresses_of_family(host, VERSIONS[family])
            for host in names
            for family in Family
        }
        seen: _AllSeen = {} if run.rewritten else await self._look(run, answers)
        found = []
        for listener in self._all(names):
            finding = self._finding(listener, run, answers, seen, known, stored)
            if finding is not None:
                found.append(finding)
        return found

    def _all(self, hosts: Sequence[str]) -> Iterator[Listener]:
        for host in hosts:
            for port in self.settings.ports:
                yield from (Listener(host, port, family) for family in Family)

    async def _look(self, run: CheckRun, answers: _Answers) -> _AllSeen:
        """Connect to every address and port."""
        tasks: dict[Listener, list[tuple[str, asyncio.Task[Seen]]]] = {}
        async with asyncio.TaskGroup() as group:
            for (host, family), answer in answers.items():
                for port in self.settings.ports if answer.values else ():
                    tasks[Listener(host, port, family)] = [
                        (address, group.create_task(self._see(run, host, address, port), name=f"checks-{port}"))
                        for address in answer.values[:MOST_ADDRESSES]
                    ]
        return {listener: [(address, task.result()) for address, task in held] for listener, held in tasks.items()}

    async def _see(self, run: CheckRun, host: str, address: str, port: Port) -> Seen:
        place, now = (address, port), self._clock.monotonic()
        if now - self._not_tls.get(place, -NOT_TLS_SECONDS) < NOT_TLS_SECONDS:
            return NotTls("answers without TLS")
        try:
            return await run.hosts.shown(host, address, port, run.ours.host or host)
        except NotTls as error:
            self._not_tls[place] = now
            return error
        except (HostSilent, HostWrong) as error:
            return error

    def _finding(
        self,
        listener: Listener,
        run: CheckRun,
        answers: _Answers,
        seen: _AllSeen,
        known: Collection[str],
        stored: Sequence[inventory.Certificate],
    ) -> ListenerFinding | None:
        """Return what is found about one listener, ``None`` if there is none."""
        expected = self.settings.expected or listener.subject in known
        own, other = answers[listener.host, listener.family], answers[listener.host, _other(listener.family)]
        now = self._clock.now()
        if run.rewritten:
            return (
                Judge(listener, stored, now).unknown(REWRITTEN) if expected or listener.family is Family.IPV4 else None
            )
        if not own.values:
            return _unresolved(Judge(listener, stored, now), own, other, expected=expected)
        results = seen[listener]
        elsewhere = _answered(seen.get(listener._replace(family=_other(listener.family)), ()))
        if not _answered(results):
            refused = all(isinstance(one, HostRefused) for _, one in results)
            alone = not any(_answered(held) for one, held in seen.items() if one.host == listener.host)
            if not (expected or elsewhere or (alone and not refused)):
                return None
        judge = Judge(listener, stored, now, refusal=self._refusal(listener, elsewhere=elsewhere, results=results))
        return judge.judge(results, knows_authorities=run.hosts.knows_authorities)

    def _refusal(self, listener: Listener, *, elsewhere: bool, results: Sequence[tuple[str, Seen]]) -> str:
        """Return how it is wrong that a connection is refused; empty if that says nothing."""
        if elsewhere:
            return f" over {SHOWN_AS[listener.family]}, but not over {SHOWN_AS[_other(listener.family)]}"
        if _answered(results):
            return ", which other addresses do not"
        return ", although something should listen there" if self.settings.expected else ""


def _answered(results: Sequence[tuple[str, Seen]]) -> bool:
    """Whether there is a server, whatever it answers."""
    return any(isinstance(one, Shown | HostWrong) for _, one in results)


def _other(family: Family) -> Family:
    return Family.IPV6 if family is Family.IPV4 else Family.IPV4


def _unresolved(judge: Judge, own: Answer[str], other: Answer[str], *, expected: bool) -> ListenerFinding | None:
    """Return what is known of a listener whose host has no address of the family, or none that could be found."""
    if own.failed and (expected or not other.values):
        return judge.unknown(own.why)
    if expected and not own.failed and other.absent:
        return judge.unknown("the host has no address")
    return None
