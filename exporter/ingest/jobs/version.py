"""
The server's version, which no answer of v0.16 discloses, and none of v0.15 to most keys: its log has it at each start.

It is kept with the tallies, so that a restart of ours does not forget it, and searched for in the log once where it is
not known.
"""

from __future__ import annotations

from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.errors import TargetError
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.jobs.logs import LogJob
from exporter.ingest.loops.session import Session
from exporter.model.server import Capability, CapabilityStatus, Generation
from exporter.stalwart.client import StalwartClient
from exporter.state.board import ServerBoard

log = structlog.get_logger("exporter.version")

VERSION_MARK = "server_version"

SEARCH_SECONDS = 12.0
"""Before the first search: a server's first polls come first, and no two requests for its log follow each other."""


class VersionJob:
    """The collector of the log, *read_log*, which afterwards keeps the version if that is known."""

    def __init__(self, board: ServerBoard, ledger: Ledger, read_log: LogJob) -> None:
        self._board = board
        self._ledger = ledger
        self._read_log = read_log

    @property
    def sooner_seconds(self) -> float | None:
        """When the next poll should begin after this one began; ``None``: at the interval."""
        return self._read_log.sooner_seconds

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        await self._read_log(client)
        await keep_version(self._board, self._ledger)


class VersionSearch:
    """Searches the log for the version of a server of which it is not known."""

    def __init__(self, board: ServerBoard, ledger: Ledger, session: Session, *, clock: Clock) -> None:
        self._board = board
        self._ledger = ledger
        self._session = session
        self._clock = clock

    async def run(self) -> NoReturn:
        """Search once for each generation, come what may: the server may have to read all of its log for it."""
        searched: Generation | None = None
        while True:
            await self._clock.sleep(SEARCH_SECONDS)
            identity = self._board.identity
            readable = self._board.capabilities.get(Capability.LOGS) is CapabilityStatus.AVAILABLE
            if readable and identity is not None and not identity.version and identity.generation is not searched:
                searched = identity.generation
                await self._search()

    async def _search(self) -> None:
        try:
            version = await (await self._session.client()).fetch_logged_version()
        except TargetError as error:
            log.info("version.search_failed", server=self._board.name, error=str(error))
            return
        if version:
            self._board.learn_version(version)
            await keep_version(self._board, self._ledger)


async def keep_version(board: ServerBoard, ledger: Ledger) -> None:
    """Save the version that is known, where another one or none is saved."""
    identity = board.identity
    if identity is None or not identity.version:
        return
    state = {"generation": identity.generation.value, "version": identity.version}
    if ledger.watermark(VERSION_MARK) != state:
        await ledger.record({}, {VERSION_MARK: state})


def kept_version(ledger: Ledger, generation: Generation) -> str:
    """The version that a server of *generation* had when it was last known; empty if it never was."""
    state = ledger.watermark(VERSION_MARK)
    return str(state["version"]) if state is not None and state["generation"] == generation.value else ""
