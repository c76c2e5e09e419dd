"""
The collector of domain checks.

A few requests bring most servers' wanted records before the checks. A server that needs many, one per domain up to
v0.15, is read at a slow pace after the checks of what is known; a domain is checked as soon as its records are read,
and again when they have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from exporter.checks.domains.run import CheckRun, DomainChecker, OwnSettings
from exporter.clock import Clock
from exporter.errors import InternalError, TargetError, TargetForbidden
from exporter.ingest.jobs.posture.blocklists import BlocklistRuns
from exporter.ingest.jobs.posture.listeners import EARLY, ListenerRuns
from exporter.ingest.jobs.posture.results import Results
from exporter.ingest.jobs.posture.wants import WantsReader
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.ingest.loops.guard import catching_bugs
from exporter.ingest.loops.session import RECHECK_SECONDS
from exporter.model.posture import Check, ServerDomain
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard

FIRST_REQUESTS = 12
"""Requests for wanted records before the checks."""

WORKERS = 24
"""Domains that are checked at the same time; what limits them is the budget of queries."""

ALL_CHECKS_DOMAINS = 100
"""Beyond this many domains, the costly checks are made of a part of them in each run."""

COSTLY = (Check.AUTOCONFIG, Check.MTA_STS)
"""Checks with many queries, or with a request to a host that the domains share and that may limit requests."""

RUN_SECONDS = 120.0
"""How long the answers of a resolver are remembered."""


class PostureJob:
    """Checks the domains of one server, publishes the results and keeps them."""

    def __init__(
        self,
        board: ServerBoard,
        results: Results,
        checker: DomainChecker,
        wants: WantsReader,
        own: OwnSettings,
        listeners: ListenerRuns,
        blocklists: BlocklistRuns,
        *,
        clock: Clock,
        interval_seconds: float,
        reraise_bugs: bool = False,
    ) -> None:
        self._board = board
        self._results = results
        self._checker = checker
        self._wants = wants
        self._own = own
        self._listeners = listeners
        self._blocklists = blocklists
        self._hosts_at: float | None = None
        self._refused: tuple[float, TargetForbidden] | None = None
        self._clock = clock
        self._interval = interval_seconds
        self._reraise_bugs = reraise_bugs
        self._number = 0
        self._patterns: Sequence[str] = ()

    async def __call__(self, client: StalwartClient) -> None:
        """Run once. Raises `StoreError` if the history cannot be read, or after the results are published."""
        until = self._clock.monotonic() + 0.9 * self._interval
        await self._results.begin()
        try:
            domains = await self._list(client)
        except TargetError as error:
            await self._check_hosts_alone(error)
            return
        self._refused = None
        first = self._unread_first(domains)[: FIRST_REQUESTS * client.domains_at_once]
        async for _ in self._wants.read(client, first):
            pass
        self._patterns = await client.fetch_report_patterns()
        self._show_capability()
        run = await self._begin(domains)
        await self._results.note(await run.check_server())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check_hosts(run), name=f"{self._board.name}-checks-hosts")
            failed = await self._check(run, domains)
        names = {domain.name for domain in domains}
        await self._results.note_reporters(names)
        in_parts = names if len(domains) > ALL_CHECKS_DOMAINS else set()
        await self._results.forget(
            lambda key: (
                key[0] in failed
                or (key[1] in COSTLY and key[0] in in_parts)
                or self._listeners.keeps(key[1])
                or self._blocklists.keeps(*key)
            )
        )
        self._publish()
        await self._read_on(client, domains, first, until)
        if self._results.trouble is not None:
            raise self._results.trouble

    async def _list(self, client: StalwartClient) -> list[ServerDomain]:
        if self._refused is not None:
            refused_at, error = self._refused
            if self._clock.monotonic() - refused_at < RECHECK_SECONDS:
                raise TargetForbidden(str(error), certain=error.certain)
            self._refused = None
        try:
            return await self._wants.list_domains(client)
        finally:
            if self._wants.forbidden:
                self._show_capability()

    async def _check_hosts(self, run: CheckRun) -> None:
        """Check what others see of the server itself."""
        self._hosts_at = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listeners.check(run), name=f"{self._board.name}-checks-listeners")
            group.create_task(self._blocklists.check(run), name=f"{self._board.name}-checks-blocklists")

    async def _check_hosts_alone(self, error: TargetError) -> None:
        """
        Check the hosts of a server that does not say which domains it has.

        Raises *error*, unless a permission is missing and there are hosts: these are then checked run after run.
        """
        now = self._clock.monotonic()
        if self._hosts_at is None or now - self._hosts_at >= EARLY * self._interval:
            await self._check_hosts(await self._begin(()))
            await self._results.save()
        found = self._listeners.found or self._blocklists.found
        if not (found and isinstance(error, TargetForbidden)):
            raise error
        self._refused = self._refused or (now, error)
        if self._results.trouble is not None:
            raise self._results.trouble

    def _show_capability(self) -> None:
        status = CapabilityStatus.FORBIDDEN if self._wants.forbidden else CapabilityStatus.AVAILABLE
        self._board.set_capability(Capability.DOMAIN_RECORDS, status)

    def _unread_first(self, domains: Sequence[ServerDomain]) -> list[ServerDomain]:
        return sorted(domains, key=lambda domain: self._wants.wants(domain).records is not None)

    async def _begin(self, domains: Sequence[ServerDomain]) -> CheckRun:
        known = (self._wants.wants(domain) for domain in domains)
        return await self._checker.begin([domain.name for domain in domains], known, self._own, self._patterns)

    async def _read_on(
        self, client: StalwartClient, domains: Sequence[ServerDomain], first: Sequence[ServerDomain], until: float
    ) -> None:
        """Read the rest of the records until the monotonic time *until*, and check the domains that have changed."""
        done = {domain.name for domain in first}
        rest = [domain for domain in self._unread_first(domains) if domain.name not in done and domain.id]
        if not rest:
            return
        run, begun = await self._begin(domains), self._clock.monotonic()
        async for changed in self._wants.read(client, rest):
            now = self._clock.monotonic()
            if now >= until:
                break
            if changed and now - begun > RUN_SECONDS:
                run, begun = await self._begin(domains), now
            await self._check(run, changed)
            self._publish()
        await self._results.save()

    async def _check(self, run: CheckRun, domains: Sequence[ServerDomain]) -> set[str]:
        """Check *domains*, several at a time; return those whose checks have a bug."""
        waiting = iter(enumerate(domains))
        parts = -(-len(domains) // ALL_CHECKS_DOMAINS)
        self._number += parts > 1
        failed: set[str] = set()
        async with asyncio.TaskGroup() as group:
            for number in range(min(WORKERS, len(domains))):
                group.create_task(self._work(run, waiting, parts, failed), name=f"{self._board.name}-checks-{number}")
        return failed

    async def _work(
        self, run: CheckRun, waiting: Iterator[tuple[int, ServerDomain]], parts: int, failed: set[str]
    ) -> None:
        for place, domain in waiting:
            leave_out = COSTLY if parts > 1 and (place + self._number) % parts else ()
            work = run.check_domain(self._wants.wants(domain), leave_out=leave_out)
            try:
                outcomes = await catching_bugs(work, server=self._board.name, task="checks", reraise=self._reraise_bugs)
            except InternalError:
                failed.add(domain.name)
                continue
            await self._results.note(outcomes)

    def _publish(self) -> None:
        self._board.publish(Part.POSTURE, self._results.posture(), fresh_seconds=fresh_seconds(self._interval))
