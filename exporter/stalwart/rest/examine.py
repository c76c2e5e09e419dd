"""
What a key may do, found by asking for each thing once, as little of it as there is.

For a person who waits for the answer (`stalwart-exporter doctor`), not for a poll: each refusal moves a security
counter of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exporter.errors import TargetForbidden, TargetRefused, TargetUnsupported
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.allowlist import Endpoint, Login
from exporter.stalwart.transport import Transport


@dataclass(frozen=True, slots=True)
class Examination:
    """
    What was found.

    Attributes:
        statuses: Of each capability.
        missing: Permissions that the key lacks, of those that something available here would need.
    """

    statuses: Mapping[Capability, CapabilityStatus]
    missing: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Question:
    """One request that tells whether a permission is there; a 404 after it proves that it is."""

    capability: Capability
    endpoint: Endpoint
    params: Mapping[str, str | int] = field(default_factory=dict)
    path_args: tuple[str, ...] = ()
    absence_is_fine: bool = False


def questions(now: datetime) -> tuple[Question, ...]:
    """What is asked, in this order."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        Question(Capability.QUEUE, Endpoint.QUEUE_MESSAGES, {"limit": 1, "max-total": 1}),
        Question(Capability.QUEUE_STATUS, Endpoint.QUEUE_STATUS),
        Question(Capability.OUTGOING_REPORTS, Endpoint.OUTGOING_REPORTS, {"limit": 1}),
        Question(Capability.REPORTS, Endpoint.REPORTS, {"limit": 1}, ("dmarc",)),
        Question(Capability.REPORTS, Endpoint.REPORT, path_args=("dmarc", "1_1"), absence_is_fine=True),
        Question(Capability.LOGS, Endpoint.LOGS, {"limit": 1}),
        Question(Capability.STORED_METRICS, Endpoint.STORED_METRICS, {"after": stamp}),
        Question(
            Capability.TRACES,
            Endpoint.TRACES,
            {"type": "delivery.attempt-start", "limit": 1, "after": stamp},
        ),
        Question(Capability.TRACES, Endpoint.TRACE, path_args=("1",)),
        Question(Capability.LIVE_METRICS, Endpoint.METRICS_TOKEN),
        Question(Capability.LIVE_TRACES, Endpoint.TRACING_TOKEN),
    )


class Examiner:
    """Asks the questions of one server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._statuses: dict[Capability, CapabilityStatus] = {}
        self._missing: list[str] = []

    async def examine(self, now: datetime) -> Examination:
        """
        Asks everything once.

        Raises a `TargetError` if the server cannot be asked at all, such as `TargetRefused` for bad credentials.
        """
        for question in questions(now):
            if self._statuses.get(question.capability) in (
                None,
                CapabilityStatus.AVAILABLE,
                CapabilityStatus.FORBIDDEN,
            ):
                await self._ask(question)
        await self._ask_native()
        return Examination(dict(self._statuses), tuple(dict.fromkeys(self._missing)))

    async def _ask(self, question: Question) -> None:
        try:
            await self._transport.request(question.endpoint, params=question.params, path_args=question.path_args)
        except TargetForbidden:
            self._missing.append(question.endpoint.value.permission)
            self._statuses[question.capability] = CapabilityStatus.FORBIDDEN
            return
        except TargetUnsupported as error:
            if not question.absence_is_fine:
                self._statuses[question.capability] = CapabilityStatus(error.status)
                return
        self._statuses.setdefault(question.capability, CapabilityStatus.AVAILABLE)

    async def _ask_native(self) -> None:
        login = Login.NATIVE if self._transport.has_native_login else Login.NONE
        try:
            await self._transport.request(Endpoint.NATIVE_METRICS, credentials=login)
        except TargetUnsupported as error:
            self._statuses[Capability.NATIVE_METRICS] = CapabilityStatus(error.status)
        except (TargetRefused, TargetForbidden):
            self._statuses[Capability.NATIVE_METRICS] = CapabilityStatus.FORBIDDEN
        else:
            self._statuses[Capability.NATIVE_METRICS] = CapabilityStatus.AVAILABLE
