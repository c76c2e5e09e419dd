"""What a server has said it does not have at all, so that it is not asked for every part of it."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.errors import TargetUnsupported
from exporter.stalwart.allowlist import Endpoint

TELEMETRY = "/api/telemetry/"
"""Belongs to the Enterprise code as a whole: a server without it, or without a licence, has no part of it."""

REMEMBERED_SECONDS = 3540.0
"""Something less than the hour after which what is missing is asked for again."""


class Absence:
    """
    Remembers that telemetry is missing.

    Contract: Stalwart v0.10-v0.15: without the Enterprise code everything below ``/api/telemetry`` is 404, without a
    licence everything answers that it is not licensed, whatever the caller's permissions.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: tuple[str, str, float] | None = None

    def check(self, endpoint: Endpoint) -> None:
        """Raises `TargetUnsupported` if another answer has told already that *endpoint* is not there."""
        if self._found is None or not endpoint.value.template.startswith(TELEMETRY):
            return
        status, told_by, until = self._found
        if self._clock.monotonic() < until:
            raise TargetUnsupported(
                f"{endpoint.label}: not asked: the server has no telemetry, as {told_by} was told", status=status
            )
        self._found = None

    def note(self, endpoint: Endpoint, error: TargetUnsupported) -> None:
        """Hears that *endpoint* is not there."""
        whole = error.status in ("unsupported", "not_licensed")
        if whole and endpoint.value.template.startswith(TELEMETRY):
            self._found = (error.status, endpoint.label, self._clock.monotonic() + REMEMBERED_SECONDS)

    def forget(self) -> None:
        """The server may be another one now."""
        self._found = None
