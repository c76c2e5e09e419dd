"""
Checks of what a key can access, with one minimal request per endpoint.

For interactive use (`stalwart-exporter doctor`), not for polling: each refusal raises a security counter of the server.

Contract: Stalwart v0.10-v0.15. A refusal does not name the permission, and without ``authenticate`` everything is
refused, even telemetry that the server lacks. ``/api/account`` does not exist there, so a key that can log in gets a
404. ``POST /api/oauth`` lists the caller's permissions, and needs one that few keys have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exporter.clock import rfc3339
from exporter.errors import PayloadError, TargetError, TargetForbidden, TargetServerError, TargetUnsupported
from exporter.model.server import Capability, CapabilityStatus, Edition
from exporter.stalwart.common.probe import Examination, PartialProbe
from exporter.stalwart.detect import Version, fetch_version
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import Login
from exporter.stalwart.http.transport import Transport

__all__ = ["Examination", "Examiner"]

_OF_MAILBOX = ("jmap-", "imap-", "pop3-", "sieve-", "dav-", "calendar-", "email-")
_CHANGES = re.compile(
    r".*-(?:create|update|delete|reload|reindex|train|registration|override)|purge-.*|undelete|restart|impersonate"
)
_SECRETS = "settings-list"


@dataclass(frozen=True, slots=True)
class Question:
    """
    One request that shows whether the key has a permission.

    Attributes:
        absence_is_fine: A 404 shows that it has.
        optional: The permission is not among the missing ones, since it allows more than a watcher should have.
    """

    capability: Capability
    endpoint: Endpoint
    params: Mapping[str, str | int] = field(default_factory=dict)
    path_args: tuple[str, ...] = ()
    absence_is_fine: bool = False
    optional: bool = False


def questions(now: datetime) -> tuple[Question, ...]:
    """Return the requests to send, in order."""
    stamp = rfc3339(now)
    return (
        Question(Capability.QUEUE, Endpoint.QUEUE_MESSAGES, {"limit": 1, "max-total": 1}),
        Question(Capability.QUEUE_STATUS, Endpoint.QUEUE_STATUS),
        Question(Capability.OUTGOING_REPORTS, Endpoint.OUTGOING_REPORTS, {"limit": 1}),
        Question(Capability.REPORTS, Endpoint.REPORTS, {"limit": 1}, ("dmarc",)),
        Question(Capability.REPORTS, Endpoint.REPORT, path_args=("dmarc", "1_1"), absence_is_fine=True),
        Question(Capability.DOMAIN_RECORDS, Endpoint.DOMAINS, {"limit": 1}),
        Question(Capability.DOMAIN_RECORDS, Endpoint.DNS_RECORDS, path_args=("example.org",)),
        Question(Capability.ACCOUNTS, Endpoint.ACCOUNTS, {"limit": 1}, optional=True),
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
    """The checks of one server, except of what is to be left out."""

    def __init__(self, transport: Transport, *, leave_out: Collection[Capability] = ()) -> None:
        self._transport = transport
        self._leave_out = leave_out
        self._parts = PartialProbe()

    async def examine(self, now: datetime, *, ask_version: bool = False) -> Examination:
        """
        Run every check once.

        The version and the key's permissions are requested with *ask_version*, or if the key lacks nothing, since it
        may then be an administrator's. Raises `TargetRefused` for bad credentials.
        """
        can_log_in = await self._ask_all(now)
        await self._parts.ask_native(self._ask_native)
        version = None
        if can_log_in and (ask_version or not (self._parts.lacking or self._parts.failures)):
            version = await self._ask_version()
        return self._examination(can_log_in, version)

    async def _ask_all(self, now: datetime) -> bool:
        """Send all requests; false, without any result, if the key cannot log in."""
        asked_whether = False
        for question in questions(now):
            if question.capability not in self._leave_out and not self._parts.settled(question.capability):
                await self._ask(question)
            if self._parts.lacking and not asked_whether:
                asked_whether = True
                if not await self._may_log_in():
                    self._parts = PartialProbe()
                    return False
        return True

    async def _ask(self, question: Question) -> None:
        endpoint = question.endpoint
        await self._parts.ask(
            question.capability,
            lambda: self._transport.request(endpoint, params=question.params, path_args=question.path_args),
            permissions=() if question.optional else (endpoint.value.permission,),
            absence_is_fine=question.absence_is_fine,
        )

    async def _may_log_in(self) -> bool:
        try:
            await self._transport.request(Endpoint.JMAP_ACCOUNT)
        except TargetForbidden:
            return False
        except (TargetUnsupported, TargetServerError, PayloadError):
            return True
        return True

    async def _ask_native(self) -> bytes:
        login = Login.NATIVE if self._transport.has_native_login else Login.NONE
        return await self._transport.request(Endpoint.NATIVE_METRICS, credentials=login)

    async def _ask_version(self) -> Version | None:
        try:
            return await fetch_version(self._transport)
        except TargetError:
            return None  # Few keys have the permission, and v0.10 does not report the version.

    def _examination(self, can_log_in: bool, version: Version | None) -> Examination:
        statuses = self._parts.statuses
        if version is None:
            edition = edition_of(statuses.get(Capability.STORED_METRICS))
        else:
            edition = Edition.ENTERPRISE if version.isEnterprise else Edition.COMMUNITY
        return Examination(
            statuses=statuses,
            lacking=self._parts.lacking,
            failures=self._parts.failures,
            can_log_in=can_log_in,
            native_refused=self._parts.native_refused,
            edition=edition,
            version=version.version if version else "",
            changes=tuple(sorted(filter(changes_server, version.permissions))) if version else (),
        )


def edition_of(stored: CapabilityStatus | None) -> Edition:
    """Return the edition, judged by the status of stored metrics for a key that can log in."""
    if stored is None:
        return Edition.UNKNOWN
    licensed = (CapabilityStatus.AVAILABLE, CapabilityStatus.NOT_CONFIGURED, CapabilityStatus.FORBIDDEN)
    return Edition.ENTERPRISE if stored in licensed else Edition.COMMUNITY


def changes_server(permission: str) -> bool:
    """Whether *permission* allows changing the server, or reading the secrets in its settings."""
    if permission.startswith(_OF_MAILBOX):
        return False
    return permission == _SECRETS or _CHANGES.fullmatch(permission) is not None
