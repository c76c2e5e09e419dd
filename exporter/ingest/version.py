"""
The server's version, which no answer of v0.16 discloses, and none of v0.15 to most keys: its log has it at each start.

It is kept with the tallies, so that a restart of ours does not forget it, and looked for in the log once where it is
not known.
"""

from __future__ import annotations

import structlog

from exporter.errors import TargetError
from exporter.ingest.ledger import Ledger
from exporter.ingest.logs import LogJob
from exporter.model.server import Generation
from exporter.stalwart.client import StalwartClient
from exporter.state.board import ServerBoard

log = structlog.get_logger("exporter.version")

VERSION_MARK = "server_version"


class VersionJob:
    """The collector of the log, *read_log*, which afterwards keeps the version that is known or looks for it."""

    def __init__(self, board: ServerBoard, ledger: Ledger, read_log: LogJob) -> None:
        self._board = board
        self._ledger = ledger
        self._read_log = read_log
        self._searched: Generation | None = None

    @property
    def sooner_seconds(self) -> float | None:
        """When the next poll should begin after this one began; ``None``: at the interval."""
        return self._read_log.sooner_seconds

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        await self._read_log(client)
        identity = self._board.identity
        if identity is None or identity.generation is Generation.UNKNOWN:
            return
        if not identity.version and self._searched is not identity.generation:
            # Searched once, come what may: the server may have to read all of its log for it.
            self._searched = identity.generation
            await self._search(client)
        await self._keep()

    async def _search(self, client: StalwartClient) -> None:
        try:
            version = await client.fetch_logged_version()
        except TargetError as error:
            log.info("version.not_found", server=self._board.name, error=str(error))
            return
        if version:
            self._board.learn_version(version)

    async def _keep(self) -> None:
        identity = self._board.identity
        if identity is None or not identity.version:
            return
        state = {"generation": identity.generation.value, "version": identity.version}
        if self._ledger.watermark(VERSION_MARK) != state:
            await self._ledger.record({}, {VERSION_MARK: state})


def kept_version(ledger: Ledger, generation: Generation) -> str:
    """The version that a server of *generation* had when it was last known; empty if it never was."""
    state = ledger.watermark(VERSION_MARK)
    return str(state["version"]) if state is not None and state["generation"] == generation.value else ""
