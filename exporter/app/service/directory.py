"""Reloads the configuration when the files of servers change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

from exporter.clock import Clock
from exporter.settings.directory import server_files
from exporter.web.config.files import Stamps, stamp_files

CHECK_SECONDS = 5.0


class DirectoryWatch:
    """Calls *changed* when a file of *directory* was added, replaced, edited or removed, until then nothing."""

    def __init__(self, directory: Path, *, changed: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._directory = directory
        self._changed = changed
        self._clock = clock
        self._stamps = _stamps(directory)

    async def run(self) -> NoReturn:
        """Look every few seconds until cancelled."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            stamps = await asyncio.to_thread(_stamps, self._directory)
            if stamps != self._stamps:
                self._stamps = stamps
                await self._changed()


def _stamps(directory: Path) -> Stamps | None:
    """Return a value that changes with the files; ``None`` while the directory cannot be read."""
    try:
        return stamp_files(server_files(directory))
    except OSError:
        return None
