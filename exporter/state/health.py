"""The health of one collector of one server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from exporter.errors import InternalError, TargetError, TargetForbidden, TargetUnsupported
from exporter.state.distribution import Observations

DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True)
class CollectorHealth:
    """
    The health of one collector of one server.

    Attributes:
        success: Whether the last run succeeded; ``None`` before the first, and while there is nothing to collect.
        error: The message of the last failure; empty after a success.
        reason: Its kind; empty after a success.
        off: Why it is switched off (``not configured``, ...); empty if it runs.
    """

    name: str
    interval_seconds: float
    success: bool | None = None
    last_success_at: datetime | None = None
    error: str = ""
    off: str = ""
    reason: str = ""
    failures: dict[str, int] = field(default_factory=dict)
    durations: Observations = field(default_factory=lambda: Observations(DURATION_BOUNDS))

    def succeeded(self, at: datetime) -> bool:
        """Record a successful run that ended at *at*; return whether the previous one failed, which is logged."""
        recovered = self.success is False
        self.success, self.error, self.off, self.reason = True, "", "", ""
        self.last_success_at = at
        return recovered

    def failed(self, error: TargetError) -> bool:
        """Count a failure; return whether the state has changed, which is logged."""
        text = str(error)
        changed = self.success is not False or self.error != text
        self.success, self.error, self.off = False, text, ""
        self._count(error.reason)
        return changed

    def switched_off(self, error: TargetUnsupported | TargetForbidden) -> bool:
        """
        Record that the server does not provide the capability; return whether that is new, which is logged.

        A missing permission counts as a failure as well, since an operator can grant it.
        """
        text = str(error)
        changed = self.off != text
        self.success, self.error, self.off = None, "", text
        if isinstance(error, TargetForbidden):
            self._count(error.reason)
        return changed

    def crashed(self, cause: str) -> None:
        """Count an unexpected end of its task; *cause* is a short text."""
        self.success, self.error, self.off = False, f"internal error: {cause}", ""
        self._count(InternalError.reason)

    def _count(self, reason: str) -> None:
        self.reason = reason
        self.failures[reason] = self.failures.get(reason, 0) + 1
