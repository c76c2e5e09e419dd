"""The sums of the outbound queue at one instant, and the reports that wait to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class RecipientStatus(StrEnum):
    """The delivery status of a queued message's recipient."""

    SCHEDULED = "scheduled"
    TEMPORARY_FAILURE = "temporary_failure"
    PERMANENT_FAILURE = "permanent_failure"
    DELIVERED = "delivered"
    UNKNOWN = "unknown"


class FailureReason(StrEnum):
    """The class of error of a failed delivery; the remote server's SMTP reply is ``unexpected_response``."""

    UNEXPECTED_RESPONSE = "unexpected_response"
    DNS_ERROR = "dns_error"
    CONNECTION_ERROR = "connection_error"
    TLS_ERROR = "tls_error"
    DANE_ERROR = "dane_error"
    MTA_STS_ERROR = "mta_sts_error"
    RATE_LIMITED = "rate_limited"
    CONCURRENCY_LIMITED = "concurrency_limited"
    IO_ERROR = "io_error"
    UNKNOWN = "unknown"


OTHER_DOMAIN = "other"
"""The label that sums the domains beyond a cap."""

AGE_BOUNDS_SECONDS: tuple[float, ...] = (
    60,
    300,
    900,
    1800,
    3600,
    7200,
    14400,
    28800,
    43200,
    86400,
    172800,
    259200,
    432000,
)
"""Upper bounds of the ages of waiting messages: one minute to five days."""

ATTEMPT_BOUNDS: tuple[float, ...] = (0, 1, 2, 3, 5, 8, 13, 21, 34)
"""Upper bounds of the delivery attempts so far of waiting recipients."""

OVERDUE_AFTER_SECONDS = 300.0
"""A recipient whose next retry is this long past is overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """
    A gauge histogram: the distribution of a value over what currently exists.

    Attributes:
        bounds: Upper bounds, ascending, inclusive, without infinity.
        counts: The number in each bucket alone (not cumulative); one more than there are bounds.
        total: The sum of the values.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


LOCAL_QUEUE = "local"
"""The virtual queue of mail to the server's own mailboxes, unless its administrator has named another."""

LIMITERS: Mapping[FailureReason, str] = {
    FailureReason.RATE_LIMITED: "rate",
    FailureReason.CONCURRENCY_LIMITED: "concurrency",
}
"""The server's own outbound limits that hold recipients back, as labels, by the class of error they leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """
    Waiting recipients that a limit of the server itself holds back.

    Attributes:
        recipients: How many.
        first_release_at: The earliest next attempt of any of them, aware and in UTC.
        last_release_at: The latest.
    """

    recipients: int
    first_release_at: datetime
    last_release_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """
    The outbound queue at one instant, summed while its pages went by; no message is kept.

    A recipient *waits* while it is scheduled or in temporary failure.

    Attributes:
        taken_at: When the walk began, aware and in UTC.
        running: Whether the queue is running; ``None`` if the server does not report it.
        messages: Messages in the queue.
        size_bytes: The sum of their sizes.
        recipients: Recipients by virtual queue and status; a pair nobody is in is absent.
        oldest_created_at: When the oldest message was accepted; ``None`` if the queue is empty.
        ages_seconds: Ages of all messages.
        attempts: Delivery attempts so far of waiting recipients.
        overdue: Waiting recipients whose next retry is over five minutes past, by virtual queue.
        expired: Waiting recipients past their expiry, by virtual queue.
        domains: Recipients by destination domain (lower case) and status. Bounded: the rest is summed as
            `OTHER_DOMAIN`.
        failures: Failing recipients by status, class of error and SMTP reply code (empty if there was none).
        held: Waiting recipients held back by a limit of the server, by virtual queue and one of `LIMITERS`; a pair
            nobody is in is absent.
        truncated: The walk stopped at the configured cap; every number is then a lower bound.
        unknown: The number of unknown values, by field.
    """

    taken_at: datetime
    running: bool | None
    messages: int
    size_bytes: int
    recipients: Mapping[tuple[str, RecipientStatus], int]
    oldest_created_at: datetime | None
    ages_seconds: Distribution
    attempts: Distribution
    overdue: Mapping[str, int]
    expired: Mapping[str, int]
    domains: Mapping[tuple[str, RecipientStatus], int]
    failures: Mapping[tuple[RecipientStatus, FailureReason, str], int]
    held: Mapping[tuple[str, str], Held]
    truncated: bool
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingReports:
    """
    DMARC and TLS reports waiting to be sent.

    Attributes:
        waiting: By kind (``dmarc``, ``tls``, ``unknown``); the two known kinds are always present.
    """

    waiting: Mapping[str, int]
