"""A backfill as a process of its own, to be killed: ``python -m tests.reports.backfill URL FILE``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.reports.rig import rig


async def main(url: str, path: Path) -> None:
    """Takes in everything there is."""
    async with rig(url, path) as life:
        await life.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
