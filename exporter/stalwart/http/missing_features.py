"""What a server has said it does not have at all, so that it is not asked for every part of it."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.errors import TargetUnsupported
from exporter.stalwart.http.allowlist import Endpoint

TELEMETRY = "/api/telemetry/"
"""Belongs to the Enterprise code as a whole: a server without it, or without a licence, has no part of it."""

REMEMBERED_SECONDS = 3540.0
"""Something less than the hour after which what is missing is asked for again."""

CONFIRM_SECONDS = 59.0
"""Something less than the minute after which a 404 is looked at again before it is believed."""


class Absence:
    """
    Remembers that telemetry is missing.

    An error object says so itself. A 404 is believed once it has come twice, a minute apart: servers behind one name
    may be of several kinds for a while.

    Contract: Stalwart v0.10-v0.15: without the Enterprise code everything below ``/api/telemetry`` is 404, without a
    licence everything answers that it is not licensed, whatever the caller's permissions.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: tuple[str, str, bool, float] | None = None
        self._missing_since: float | None = None
        self._was_there = False

    def check(self, endpoint: Endpoint) -> None:
        """Raise `TargetUnsupported` if another answer has shown already that *endpoint* is not there."""
        if self._found is None or not _is_telemetry(endpoint):
            return
        status, told_by, certain, until = self._found
        if self._clock.monotonic() < until:
            raise TargetUnsupported(
                f"{endpoint.label}: not sent: the server has no telemetry, as reported by {told_by}",
                status=status,
                certain=certain,
            )
        self._found = None

    def note(self, endpoint: Endpoint, error: TargetUnsupported) -> None:
        """Record that *endpoint* is not there."""
        if not _is_telemetry(endpoint) or error.status not in ("unsupported", "not_licensed"):
            return
        now = self._clock.monotonic()
        if self._missing_since is None:
            self._missing_since = now
        if error.certain or now - self._missing_since >= CONFIRM_SECONDS:
            self._found = (error.status, endpoint.label, error.certain, now + REMEMBERED_SECONDS)
        elif not self._was_there:
            self._found = (error.status, endpoint.label, error.certain, now + CONFIRM_SECONDS)

    def note_there(self, endpoint: Endpoint) -> None:
        """Record a good answer of *endpoint*."""
        if _is_telemetry(endpoint):
            self._missing_since, self._was_there = None, True

    def forget(self) -> None:
        """The server may be another one now."""
        self._found = None


def _is_telemetry(endpoint: Endpoint) -> bool:
    return endpoint.value.template.startswith(TELEMETRY)
