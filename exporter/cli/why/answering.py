"""The queues of the configured servers, which `why` asks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporter.answers.queue_state import LiveState
from exporter.errors import SettingsError
from exporter.history.why import Look
from exporter.settings import ServerSettings, load_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """
    The servers that can be asked.

    Attributes:
        trouble: Why there are none.
    """

    by_name: Mapping[str, ServerSettings] = field(default_factory=dict)
    trouble: str = ""

    @property
    def names(self) -> Iterable[str]:
        """Their names."""
        return self.by_name

    def look(self, server: str, queue_ids: Sequence[int]) -> Look:
        """Return the first of *queue_ids* that is in the queue of *server*; trouble is part of the result."""
        settings = self.by_name.get(server)
        if settings is None:
            return Look(LiveState(trouble=self.trouble or "the server is not in the configuration"))
        from exporter.cli.why.live import look  # With its HTTP client, it takes as long to import as the rest to run.

        return look(settings, queue_ids)


def servers_of(config: Path | None, *, offline: bool) -> Servers:
    """Return the configured servers; whoever may read the history may lack permission to read their secrets."""
    if offline:
        return Servers(trouble="not asked (--offline)")
    try:
        settings = load_settings(config, dict(os.environ))
    except SettingsError as error:
        return Servers(trouble=f"the configuration cannot be used: {error.problems[0]}")
    return Servers(by_name={server.name: server for server in settings.servers})
