"""Remembers a feature that a server lacks, so that none of its endpoints is requested."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.errors import TargetUnsupported
from exporter.stalwart.http.endpoint import EndpointTable

TELEMETRY = "/api/telemetry/"
"""The paths of Enterprise telemetry; a server without Enterprise code or licence has none of them."""

REMEMBERED_SECONDS = 3540.0
"""Slightly less than the hour after which a missing capability is checked again."""

CONFIRM_SECONDS = 59.0
"""Slightly less than the minute after which a 404 is checked again."""


class MissingFeatures:
    """
    Memory of whether telemetry is missing.

    An error object is conclusive. A 404 must occur twice, a minute apart: behind one name, servers of different
    releases may respond for a while.

    Contract: Stalwart v0.10-v0.15. Below ``/api/telemetry``, a server without Enterprise code returns 404 for every
    path, and one without a licence returns an error for every path, regardless of the caller's permissions.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: tuple[str, str, bool, float] | None = None
        self._missing_since: float | None = None
        self._was_there = False

    def check(self, endpoint: EndpointTable) -> None:
        """Raise `TargetUnsupported` if an earlier response has shown that *endpoint* is missing."""
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

    def note(self, endpoint: EndpointTable, error: TargetUnsupported) -> None:
        """Record that *endpoint* is missing."""
        if not _is_telemetry(endpoint) or error.status not in ("unsupported", "not_licensed"):
            return
        now = self._clock.monotonic()
        if self._missing_since is None:
            self._missing_since = now
        if error.certain or now - self._missing_since >= CONFIRM_SECONDS:
            self._found = (error.status, endpoint.label, error.certain, now + REMEMBERED_SECONDS)
        elif not self._was_there:
            self._found = (error.status, endpoint.label, error.certain, now + CONFIRM_SECONDS)

    def note_there(self, endpoint: EndpointTable) -> None:
        """Record a successful response of *endpoint*."""
        if _is_telemetry(endpoint):
            self._missing_since, self._was_there = None, True

    def forget(self) -> None:
        """Check again at the next request, since the server may be a different one now."""
        self._found = None


def _is_telemetry(endpoint: EndpointTable) -> bool:
    return endpoint.value.template.startswith(TELEMETRY)
