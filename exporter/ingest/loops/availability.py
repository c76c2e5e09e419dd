"""Whether the server serves one collector, as far as its refusals are believed."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.errors import TargetForbidden, TargetUnsupported
from exporter.ingest.loops.doubt import CONFIRM_SECONDS, Doubt
from exporter.ingest.loops.session import RECHECK_SECONDS, Session
from exporter.model.server import Capability, CapabilityStatus

Refusal = TargetUnsupported | TargetForbidden


class Availability:
    """
    The rule for refusals that pollers and subscribers share.

    The first refusal of what was served counts as a failure, and the server is identified again; it is believed once a
    second one confirms it. *capability* is ``None`` for a collector that has none of its own.
    """

    def __init__(self, session: Session, capability: Capability | None, clock: Clock) -> None:
        self._session = session
        self._capability = capability
        self._doubt = Doubt(clock)
        self._served = False

    def succeeded(self) -> None:
        """Record that the server served the collector."""
        self._served = True
        self._doubt.clear()
        self._set(CapabilityStatus.AVAILABLE)

    def refused(self, error: Refusal) -> bool:
        """Record a refusal; return whether it is believed. If it is not, it counts as a failure."""
        confirmed = self._doubt.refused(certain=error.certain)
        self._set(status_of(error))
        if self._served and self._doubt.begun and isinstance(error, TargetUnsupported) and error.again_seconds is None:
            self._session.gone()
        if self._served and not confirmed:
            return False
        self._served = False
        return True

    def wait_seconds(self, *, soon_seconds: float, recheck_seconds: float = RECHECK_SECONDS) -> float:
        """
        Return how long to wait after a refusal.

        What is confirmed waits *recheck_seconds*. What was served before is asked for after *soon_seconds* once.
        """
        if self._doubt.confirmed:
            return recheck_seconds
        return self._doubt.wait_seconds(soon=soon_seconds if self._served else CONFIRM_SECONDS)

    def _set(self, status: CapabilityStatus) -> None:
        if self._capability is not None:
            self._session.board.set_capability(self._capability, status)


def status_of(error: Refusal) -> CapabilityStatus:
    """Return what *error* says about the capability."""
    return CapabilityStatus.FORBIDDEN if isinstance(error, TargetForbidden) else CapabilityStatus(error.status)
