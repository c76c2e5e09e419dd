"""
Names of source addresses: from reverse DNS, and believed only if the name leads back to the address.

Contract: RFC 8601, section 2.7.3 (iprev).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.dns.rewriting import rewrites
from exporter.checks.dns.system import system_resolvers
from exporter.checks.sources.as_database import AsDatabase, AutonomousSystem
from exporter.domains import domain_name
from exporter.model.posture import CheckResult
from exporter.model.reports import NamedSource

MOST_NAMES = 4
"""Names of one address that are tried."""

UNKNOWN_NAME = (CheckResult.UNKNOWN, "")


class SourceNamer:
    """
    Starts runs; shared by all servers, and with it the *budget*.

    *resolvers* are ``None`` for those of the system, which are read again for each run.
    """

    def __init__(
        self,
        *,
        resolvers: Sequence[ResolverAddress] | None,
        budget: QueryBudget,
        query_timeout_seconds: float,
        rng: random.Random,
        as_database: AsDatabase | None = None,
        system: Callable[[], Sequence[ResolverAddress]] = system_resolvers,
    ) -> None:
        self._resolvers = resolvers
        self._budget = budget
        self._timeout_seconds = query_timeout_seconds
        self._rng = rng
        self._as_database = as_database
        self._system = system

    async def begin(self) -> NamingRun:
        """Begin a run."""
        servers = self._resolvers
        if servers is None:
            servers = await asyncio.to_thread(self._system)
        resolver = DnsResolver(servers, self._budget, timeout_seconds=self._timeout_seconds, trusted=False)
        return NamingRun(resolver, self._as_database, believed=not await rewrites(resolver, (), self._rng))


class NamingRun:
    """A run; if the resolver is not *believed*, every name is unknown."""

    def __init__(self, resolver: DnsResolver, as_database: AsDatabase | None, *, believed: bool) -> None:
        self._resolver = resolver
        self._as_database = as_database
        self._believed = believed

    async def name(self, address: str, system: AutonomousSystem | None = None) -> NamedSource:
        """Return the name of *address*, which belongs to *system*."""
        result, name = await self._confirmed(address) if self._believed else UNKNOWN_NAME
        return NamedSource(
            address=address,
            result=result,
            name=name,
            as_number=None if system is None else system.number,
            as_name="" if system is None else system.name,
        )

    async def systems(self, addresses: Sequence[str]) -> Mapping[str, AutonomousSystem]:
        """Return the autonomous systems of *addresses*, as far as a database knows them."""
        if self._as_database is None:
            return {}
        return await asyncio.to_thread(self._as_database.look_up, addresses)

    async def addresses(self, host: str) -> Sequence[str]:
        """Return the addresses of *host*; empty if they are not known."""
        return (await self._resolver.addresses(host)).values if self._believed else ()

    async def _confirmed(self, address: str) -> tuple[CheckResult, str]:
        pointers = await self._resolver.pointers(address)
        if pointers.failed:
            return UNKNOWN_NAME
        unsure = False
        for pointer in pointers.values[:MOST_NAMES]:
            name = domain_name(pointer)
            if name is None:
                continue
            forward = await self._resolver.addresses_of_family(name, 6 if ":" in address else 4)
            if address in forward.values:
                return CheckResult.GOOD, name
            unsure = unsure or forward.failed
        return UNKNOWN_NAME if unsure else (CheckResult.BAD, "")
