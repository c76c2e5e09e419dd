"""Worlds in which mail has happened."""

from __future__ import annotations

from exporter.simulator import ManualClock, Profile, World

DAY = 86_400.0


def world(version: str = "0.15.5", **profile: object) -> World:
    """A world whose time stands still."""
    return World(Profile(version=version, **profile), clock=ManualClock())  # type: ignore[arg-type]
