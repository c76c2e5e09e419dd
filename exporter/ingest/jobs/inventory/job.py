"""The inventory collector: accounts, domains, certificates, tasks, blocked addresses and cluster nodes."""

from __future__ import annotations

import structlog

from exporter.errors import TargetForbidden, TargetUnsupported
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.model.inventory import PARTS
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard

log = structlog.get_logger("exporter.inventory")


class InventoryJob:
    """
    Publishes accounts, domains, certificates, tasks, blocked addresses and cluster nodes, as far as permitted.

    The job sets the capability itself: it is forbidden if any part is, while the other parts are still published.
    """

    def __init__(self, board: ServerBoard, *, interval_seconds: float) -> None:
        self._board = board
        self._fresh_seconds = fresh_seconds(interval_seconds)
        self._withheld: tuple[str, ...] = ()

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once. `TargetForbidden`: the credentials may not read any part."""
        try:
            inventory = await client.fetch_inventory()
        except TargetUnsupported as error:
            self._board.set_capability(Capability.INVENTORY, CapabilityStatus(error.status))
            raise
        withheld = inventory.withheld
        found = CapabilityStatus.FORBIDDEN if withheld else CapabilityStatus.AVAILABLE
        self._board.set_capability(Capability.INVENTORY, found)
        if len(withheld) == len(PARTS):
            raise TargetForbidden(f"the key can read none of {', '.join(PARTS)}")
        self._tell(withheld)
        self._board.count_unknown(inventory.unknown)
        self._board.publish(Part.INVENTORY, inventory, fresh_seconds=self._fresh_seconds)

    def _tell(self, withheld: tuple[str, ...]) -> None:
        if withheld != self._withheld:
            self._withheld = withheld
            log.info("inventory.withheld", server=self._board.name, parts=list(withheld))
