"""What a server wants published, read at a pace that leaves room for the other collectors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from exporter.clock import Clock
from exporter.errors import PayloadError, TargetForbidden, TargetServerError, TargetUnsupported
from exporter.ingest.loops.session import RECHECK_SECONDS
from exporter.model.posture import DomainWants, Record, ServerDomain
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.http.throttle import Throttle

SHARE = 3
"""One in so many of the permitted requests may be about domains."""


class WantsReader:
    """
    The wanted records of one server's domains, as far as they have been read.

    Attributes:
        forbidden: The key may not read the records, or not even the list of domains.
    """

    def __init__(self, *, clock: Clock, max_requests_per_minute: int, configured: Collection[str]) -> None:
        self._clock = clock
        self._throttle = Throttle(clock=clock, requests=max(1, max_requests_per_minute // SHARE))
        self._configured = frozenset(configured)
        self._records: dict[str, Sequence[Record]] = {}
        self._refused_at: float | None = None
        self.forbidden = False

    async def list_domains(self, client: StalwartClient) -> list[ServerDomain]:
        """
        Return the domains to check: the configured ones, otherwise all of the server.

        A configured domain that the server does not have, or does not disclose, has an empty id. Raises a
        `TargetError` if none are configured.
        """
        try:
            found = list(await client.fetch_domains())
            self.forbidden = False
        except (TargetForbidden, TargetUnsupported) as error:
            self.forbidden = isinstance(error, TargetForbidden)
            if not self._configured:
                raise
            found = []
        if self._configured:
            found = [domain for domain in found if domain.name in self._configured]
            missing = self._configured - {domain.name for domain in found}
            found += [ServerDomain(id="", name=name) for name in missing]
        found.sort(key=lambda domain: domain.name)
        names = {domain.name for domain in found}
        self._records = {name: records for name, records in self._records.items() if name in names}
        return found

    def wants(self, domain: ServerDomain) -> DomainWants:
        """Return what is known of *domain*."""
        return DomainWants(name=domain.name, records=self._records.get(domain.name))

    async def read(self, client: StalwartClient, domains: Sequence[ServerDomain]) -> AsyncIterator[list[ServerDomain]]:
        """
        Read the records of *domains* in as many requests as it takes; yield those whose records have changed.

        A response that cannot be used leaves what was known of its domains. Ends early if the key may not read them.
        """
        asked = [domain for domain in domains if domain.id]
        if self._refused_at is not None and self._clock.monotonic() - self._refused_at < RECHECK_SECONDS:
            self.forbidden = True
            return
        size = client.domains_at_once
        for start in range(0, len(asked), size):
            batch = asked[start : start + size]
            await self._throttle.wait()
            try:
                found = await client.fetch_wanted_records(batch)
                self._refused_at = None
            except (TargetForbidden, TargetUnsupported):
                self.forbidden, self._refused_at = True, self._clock.monotonic()
                return
            except (PayloadError, TargetServerError):
                continue
            yield self._changed(batch, found)

    def _changed(self, batch: Sequence[ServerDomain], found: Sequence[DomainWants]) -> list[ServerDomain]:
        by_name = {domain.name: domain for domain in batch}
        changed = []
        for wants in found:
            if wants.name in by_name and wants.records is not None and self._records.get(wants.name) != wants.records:
                self._records[wants.name] = wants.records
                changed.append(by_name[wants.name])
        return changed
