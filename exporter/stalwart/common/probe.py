"""
Checks by `stalwart-exporter doctor` of what a key can access, one capability at a time.

A failure, a denial or a missing feature affects only its own capability and does not end the checks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.errors import (
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
    TargetUnsupported,
)
from exporter.model.server import Capability, CapabilityStatus, Edition
from exporter.stalwart.http.responses import CredentialsRefused

LOG_IN = "authenticate"
"""The permission without which a key can do nothing; its name is the same in every generation."""

SILENCES_IN_A_ROW = 2
"""After this many checks in a row without a response, the server counts as unreachable and the rest are skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """
    The result of the checks.

    Attributes:
        statuses: The status of each capability that could be checked.
        lacking: Permissions that the key lacks, by capability; none for features that the server lacks.
        failures: Error messages of the capabilities that could not be checked.
        can_log_in: False if the key lacks `LOG_IN`; its other missing permissions are then unknown.
        native_refused: The server's own metrics page refused the configured login.
        edition, version: Unknown or empty if not disclosed to this key.
        changes: The key's permissions that can change the server; empty if its permissions are not disclosed.
    """

    statuses: Mapping[Capability, CapabilityStatus]
    lacking: Mapping[Capability, Sequence[str]] = field(default_factory=dict)
    failures: Mapping[Capability, str] = field(default_factory=dict)
    can_log_in: bool = True
    native_refused: bool = False
    edition: Edition = Edition.UNKNOWN
    version: str = ""
    changes: Sequence[str] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Every missing permission, without duplicates."""
        first = () if self.can_log_in else (LOG_IN,)
        return tuple(dict.fromkeys((*first, *(name for names in self.lacking.values() for name in names))))


class PartialProbe:
    """Checks capabilities one after the other and records each result."""

    def __init__(self) -> None:
        self.statuses: dict[Capability, CapabilityStatus] = {}
        self.lacking: dict[Capability, list[str]] = {}
        self.failures: dict[Capability, str] = {}
        self.native_refused = False
        self._silences = 0

    def settled(self, capability: Capability) -> bool:
        """Whether further requests about *capability* would add nothing."""
        status = self.statuses.get(capability, CapabilityStatus.AVAILABLE)
        return capability in self.failures or status not in (CapabilityStatus.AVAILABLE, CapabilityStatus.FORBIDDEN)

    def lacks(self, capability: Capability, permissions: Iterable[str]) -> None:
        """Record *permissions* for *capability* that the key lacks."""
        self.statuses[capability] = CapabilityStatus.FORBIDDEN
        self.lacking.setdefault(capability, []).extend(permissions)

    async def ask(
        self,
        capability: Capability,
        question: Callable[[], Awaitable[object]],
        *,
        permissions: Sequence[str] = (),
        absence_is_fine: bool = False,
    ) -> None:
        """
        Send one request, which needs *permissions*, and record the status of *capability*.

        With *absence_is_fine*, `TargetUnsupported` counts as available. Raises `TargetRefused` if the server refuses
        the credentials or the exporter's address, which ends the checks.
        """
        if self._silences >= SILENCES_IN_A_ROW:
            self.failures[capability] = "not asked: the server no longer answers"
            return
        try:
            await question()
        except TargetForbidden:
            self.lacks(capability, permissions)
        except TargetUnsupported as error:
            if not absence_is_fine:
                self.statuses[capability] = CapabilityStatus(error.status)
        except TargetRefused:
            raise
        except TargetError as error:
            self._fail(capability, error)
            return
        self._silences = 0
        self.statuses.setdefault(capability, CapabilityStatus.AVAILABLE)

    async def ask_native(self, question: Callable[[], Awaitable[object]]) -> None:
        """Check the server's own metrics page, which has a login of its own."""
        try:
            await self.ask(Capability.NATIVE_METRICS, question)
        except TargetRefused as error:
            self.statuses[Capability.NATIVE_METRICS] = CapabilityStatus.FORBIDDEN
            self.native_refused = isinstance(error, CredentialsRefused)

    def _fail(self, capability: Capability, error: TargetError) -> None:
        silent = isinstance(error, TargetUnreachable | TargetTimeout | TargetTLSError)
        self._silences = self._silences + 1 if silent else 0
        self.statuses.pop(capability, None)
        self.failures[capability] = str(error)
