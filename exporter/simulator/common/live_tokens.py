"""Tokens that open the live streams."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from exporter.simulator.world.world import World

TOKEN_SECONDS = 60.0


@dataclass(slots=True)
class LiveTokens:
    """Tokens for the live streams, valid for one minute and only for opening a stream."""

    issued: dict[str, tuple[str, float]] = field(default_factory=dict)

    def issue(self, world: World, kind: str) -> str:
        """Return a new token of a kind, `metrics` or `tracing`."""
        token = base64.b64encode(world.rng.randbytes(46)).decode()
        self.issued[token] = kind, world.now() + TOKEN_SECONDS
        return token

    def opens(self, token: str, kind: str, now: float) -> bool:
        """Return whether a token opens a stream of this kind now."""
        issued = self.issued.get(token)
        return issued is not None and issued[0] == kind and now <= issued[1]
