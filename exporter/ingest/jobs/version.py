"""
The server's version, found in the log at each server start: v0.16 does not disclose it, v0.15 not to most keys.

It is saved with the tallies, so that it survives a restart of the exporter, and searched for once if it is unknown.
"""

from __future__ import annotations

from typing import Any, NoReturn

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
"""Delay before a search: the first polls take precedence, and log requests do not follow each other directly."""


class VersionJob:
    """Runs the log collector *read_log*, then saves the version if it is known."""

    def __init__(self, board: ServerBoard, ledger: Ledger, read_log: LogJob) -> None:
        self._board = board
        self._ledger = ledger
        self._read_log = read_log

    @property
    def sooner_seconds(self) -> float | None:
        """Time from the start of this poll to the start of the next; ``None``: the interval."""
        return self._read_log.sooner_seconds

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        await self._read_log(client)
        await keep_version(self._board, self._ledger)


class VersionSearch:
    """Searches the log for the version of a server whose version is unknown."""

    def __init__(self, board: ServerBoard, ledger: Ledger, session: Session, *, clock: Clock) -> None:
        self._board = board
        self._ledger = ledger
        self._session = session
        self._clock = clock

    async def run(self) -> NoReturn:
        """Search once per generation, whether it succeeds or not: the server may have to read its whole log."""
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
    """Save the version if it is known and differs from the saved one."""
    identity = board.identity
    if identity is None or not identity.version:
        return
    state = {"generation": identity.generation.value, "version": identity.version}
    if ledger.watermark(VERSION_MARK) != state:
        await ledger.record({}, {VERSION_MARK: state})


def kept_version(ledger: Ledger, generation: Generation) -> str:
    """Return the last known version of a server of *generation*; empty if it never was known."""

    def version(state: Any) -> str:
        return str(state["version"]) if state["generation"] == generation.value else ""

    return ledger.restore(VERSION_MARK, version) or ""
