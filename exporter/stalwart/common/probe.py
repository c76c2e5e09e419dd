"""
What `stalwart-exporter doctor` finds out about a key: each part of a server is asked by itself.

A part that fails, forbids or lacks something says nothing about the others, and does not end the examination.
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
"""The permission without which a key may do nothing; it has this name in every generation."""

SILENCES_IN_A_ROW = 2
"""After so many parts without an answer the server is taken to be gone, and is not asked for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """
    What was found.

    Attributes:
        statuses: Of each capability that could be judged.
        lacking: Permissions that the key lacks, by what they are for; of what the server does not have, none.
        failures: What went wrong with the parts that could be neither read nor judged, in words.
        can_log_in: False if the key lacks `LOG_IN`: what else it lacks is then not known.
        native_refused: The server's own metrics page refused the login that is configured for it.
        edition, version: As far as they were disclosed.
        changes: Permissions of the key that change the server, as far as the key's permissions are disclosed.
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
        """Every permission that is lacking, once."""
        first = () if self.can_log_in else (LOG_IN,)
        return tuple(dict.fromkeys((*first, *(name for names in self.lacking.values() for name in names))))


class PartialProbe:
    """Asks for the parts of a server one after the other, and keeps what came of each."""

    def __init__(self) -> None:
        self.statuses: dict[Capability, CapabilityStatus] = {}
        self.lacking: dict[Capability, list[str]] = {}
        self.failures: dict[Capability, str] = {}
        self.native_refused = False
        self._silences = 0

    def settled(self, capability: Capability) -> bool:
        """Whether more questions about *capability* would say nothing new."""
        status = self.statuses.get(capability, CapabilityStatus.AVAILABLE)
        return capability in self.failures or status not in (CapabilityStatus.AVAILABLE, CapabilityStatus.FORBIDDEN)

    def lacks(self, capability: Capability, permissions: Iterable[str]) -> None:
        """Note *permissions* of *capability* that the key does not have."""
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
        Ask one *question*, which takes *permissions*; the answer says whether *capability* is there.

        Raises `TargetRefused` if the server refuses the credentials or the address, which ends the examination.
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
        """Ask for the server's own metrics page, whose login is another one."""
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
