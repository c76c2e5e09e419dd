"""A backfill as a process, to be killed: ``python -m tests.support.reports.backfill GENERATION URL FILE``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.rest.client import RestClient
from tests.support.rigs.reports import rig

CLIENTS: dict[str, type[RestClient | JmapClient]] = {"rest": RestClient, "jmap": JmapClient}


async def main(generation: str, url: str, path: Path) -> None:
    """Takes in everything there is."""
    async with rig(url, path, client=CLIENTS[generation]) as life:
        await life.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
