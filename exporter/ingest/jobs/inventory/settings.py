"""
The collector of settings: when each area of a server's settings last changed.

Digests are compared with those of the last look, which are saved with the watermarks, so that a restart of the exporter
is no change. A kind of settings that becomes readable is none either, nor is what a new release of the server adds.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.model.inventory import SettingsDigests
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard

log = structlog.get_logger("exporter.settings")

SETTINGS_MARK = "settings"
KEY_BYTES = 32


@dataclass(slots=True)
class SettingsState:
    """
    What is remembered of a server's settings.

    Attributes:
        key: Of the digests; random, so that nobody can guess a value by its digest.
        version: Of the server at the last look.
        digests: By kind of settings.
        changed_at: When each area was last seen to change, at first when it was first seen; in Unix seconds.
    """

    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES))
    version: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    changed_at: dict[str, int] = field(default_factory=dict)

    @classmethod
    def restore(cls, state: Any) -> SettingsState:
        """Return what `saved` has saved; raises one of the errors of a damaged state."""
        return cls(
            key=bytes.fromhex(state["key"]),
            version=str(state["version"]),
            digests={str(kind): str(digest) for kind, digest in state["digests"].items()},
            changed_at={str(area): int(at) for area, at in state["changed_at"].items()},
        )

    def saved(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "key": self.key.hex(),
            "version": self.version,
            "digests": self.digests,
            "changed_at": self.changed_at,
        }

    def look(self, found: SettingsDigests, *, version: str, at: int) -> frozenset[str]:
        """Take *found* over and return the areas that have changed. With another *version*, nothing is compared."""
        comparable = version == self.version or not (version and self.version)
        changed = frozenset(
            found.areas[kind]
            for kind, digest in found.digests.items()
            if comparable and self.digests.get(kind, digest) != digest
        )
        for area in found.areas.values():
            self.changed_at.setdefault(area, at)
        self.changed_at.update(dict.fromkeys(changed, at))
        self.digests.update(found.digests)
        self.version = version or self.version
        return changed


class SettingsJob:
    """Publishes when each area of settings last changed; *clock* is the exporter's."""

    def __init__(self, board: ServerBoard, ledger: Ledger, *, clock: Clock, interval_seconds: float) -> None:
        self._board = board
        self._ledger = ledger
        self._clock = clock
        self._fresh_seconds = fresh_seconds(interval_seconds)
        self._state = ledger.restore(SETTINGS_MARK, SettingsState.restore) or SettingsState()

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once. `TargetForbidden`: the key may read no settings."""
        found = await client.fetch_settings_digests(self._state.key)
        identity = self._board.identity
        changed = self._state.look(
            found,
            version="" if identity is None else identity.version,
            at=int(self._clock.now().timestamp()),
        )
        if changed:
            log.info("settings.changed", server=self._board.name, areas=sorted(changed))
        self._board.publish(Part.SETTINGS, dict(self._state.changed_at), fresh_seconds=self._fresh_seconds)
        await self._ledger.record({}, {SETTINGS_MARK: self._state.saved()})
