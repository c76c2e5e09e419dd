"""The collector that names the sources in DMARC reports; it makes no request to the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from exporter.checks.sources.naming import NamingRun, SourceNamer
from exporter.clock import Clock
from exporter.errors import HistoryUnavailable, StoreError
from exporter.stalwart.client import StalwartClient
from exporter.store.reader import HistoryReader
from exporter.store.reports.dmarc.naming import due_addresses, mail_hosts, name_writer, own_address_writer
from exporter.store.store import Store

MOST_PER_RUN = 300
"""Addresses that are named in one run; each takes two or three queries."""

BATCH = 20
"""Addresses whose names are saved together."""


class NamingJob:
    """
    Names the busiest sources of one server.

    *addresses* are those that the server sends from, as configured; if empty, those of its host name.
    """

    def __init__(
        self,
        store: Store,
        reader: HistoryReader,
        server: str,
        namer: SourceNamer,
        addresses: Sequence[str],
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._reader = reader
        self._server = server
        self._namer = namer
        self._addresses = addresses
        self._clock = clock

    async def __call__(self, client: StalwartClient) -> None:
        """Run once; makes no request. Raises `HistoryUnavailable`."""
        try:
            run = await self._namer.begin()
            await self._note_own_addresses(run)
            await self._name(run)
        except StoreError as error:
            raise HistoryUnavailable(f"the history cannot be used now: {error}") from error

    async def _note_own_addresses(self, run: NamingRun) -> None:
        found = list(self._addresses)
        if not found:
            hosts = await self._reader.read(lambda connection: mail_hosts(connection, self._server))
            for host in hosts:
                found += await run.addresses(host)
        if found:
            now = int(self._clock.now().timestamp())
            await self._store.write(own_address_writer(self._server, sorted(set(found)), now=now))

    async def _name(self, run: NamingRun) -> None:
        now = int(self._clock.now().timestamp())
        due = await self._reader.read(
            lambda connection: due_addresses(connection, self._server, now=now, most=MOST_PER_RUN)
        )
        systems = await run.systems(due) if due else {}
        for batch in _batches(due):
            named = [await run.name(address, systems.get(address)) for address in batch]
            await self._store.write(name_writer(self._server, named, now=now))


def _batches(addresses: Sequence[str]) -> Iterator[Sequence[str]]:
    rest = iter(addresses)
    while batch := list(islice(rest, BATCH)):
        yield batch
