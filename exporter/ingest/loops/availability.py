"""Whether the server supports one collector, judged by the refusals that have been confirmed."""

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

    If the collector worked before, its first refusal counts as a failure and makes the session detect the server again;
    only a second refusal confirms it. *capability* is ``None`` for a collector without a capability of its own.
    """

    def __init__(self, session: Session, capability: Capability | None, clock: Clock) -> None:
        self._session = session
        self._capability = capability
        self._doubt = Doubt(clock)
        self._served = False

    def succeeded(self) -> None:
        """Record a successful request."""
        self._served = True
        self._doubt.clear()
        self._set(CapabilityStatus.AVAILABLE)

    def refused(self, error: Refusal) -> bool:
        """Record a refusal and return whether it is accepted; one that is not accepted counts as a failure."""
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

        A confirmed refusal waits *recheck_seconds*. A collector that worked before is retried once after
        *soon_seconds*.
        """
        if self._doubt.confirmed:
            return recheck_seconds
        return self._doubt.wait_seconds(soon=soon_seconds if self._served else CONFIRM_SECONDS)

    def _set(self, status: CapabilityStatus) -> None:
        if self._capability is not None:
            self._session.board.set_capability(self._capability, status)


def status_of(error: Refusal) -> CapabilityStatus:
    """Return the capability status that *error* implies."""
    return CapabilityStatus.FORBIDDEN if isinstance(error, TargetForbidden) else CapabilityStatus(error.status)
