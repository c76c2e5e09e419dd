"""A queue summed by plain reading, message by message: what the decoder must say, slow and simple."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.domains import domain_of
from exporter.model.queue import (
    AGE_BOUNDS_SECONDS,
    ATTEMPT_BOUNDS,
    LIMITERS,
    Distribution,
    FailureReason,
    Held,
    QueueSnapshot,
    RecipientStatus,
)
from exporter.stalwart.events.failures import classify_failure

Json = Mapping[str, Any]
WAITING = (RecipientStatus.SCHEDULED, RecipientStatus.TEMPORARY_FAILURE)
VARIANTS = {
    "completed": RecipientStatus.DELIVERED,
    "temp_fail": RecipientStatus.TEMPORARY_FAILURE,
    "perm_fail": RecipientStatus.PERMANENT_FAILURE,
}


def page_of(items: Sequence[object], *, running: bool | None = True) -> bytes:
    """An answer of the server."""
    data: dict[str, object] = {"items": list(items), "total": len(items)}
    return json.dumps({"data": data if running is None else {**data, "status": running}}).encode()


def recipients_of(message: Json) -> Iterator[tuple[Json, str, str, object]]:
    """Of each recipient: where its times stand, its address, queue and status."""
    if "recipients" in message:
        for recipient in message["recipients"]:
            yield recipient, recipient["address"], recipient["queue"], recipient["status"]
        return
    for domain in message["domains"]:
        for recipient in domain["recipients"]:
            own = recipient["status"]
            yield domain, recipient["address"], "default", domain["status"] if own == "scheduled" else own


def status_of(status: object) -> tuple[RecipientStatus, str]:
    """The status and its text."""
    if status == "scheduled":
        return RecipientStatus.SCHEDULED, ""
    if isinstance(status, dict) and len(status) == 1:
        ((variant, text),) = status.items()
        if variant in VARIANTS:
            return VARIANTS[variant], text
    return RecipientStatus.UNKNOWN, ""


def snapshot_of(messages: Sequence[Json], taken_at: datetime, *, running: bool | None = True) -> QueueSnapshot:
    """The sums of a whole queue."""
    created = [_moment(message["created"]).replace(microsecond=0) for message in messages]
    ages = [max(0.0, (taken_at - moment).total_seconds()) for moment in created]
    attempts: list[int] = []
    recipients: Counter[tuple[str, RecipientStatus]] = Counter()
    domains: Counter[tuple[str, RecipientStatus]] = Counter()
    failures: Counter[tuple[RecipientStatus, FailureReason, str]] = Counter()
    releases: dict[tuple[str, str], list[datetime]] = {}
    overdue: Counter[str] = Counter()
    expired: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for message in messages:
        for times, address, name, status in recipients_of(message):
            kind, text = status_of(status)
            good_name = name.isprintable() and 1 <= len(name.encode()) <= 8
            queue = name if good_name else "unknown"
            unknown["queue"] += not good_name
            recipients[queue, kind] += 1
            unknown["recipient_status"] += kind is RecipientStatus.UNKNOWN
            domain = domain_of(address)
            domains[domain or "unknown", kind] += 1
            unknown["recipient_domain"] += not domain
            if kind in (RecipientStatus.TEMPORARY_FAILURE, RecipientStatus.PERMANENT_FAILURE):
                reason, code = classify_failure(text)
                failures[kind, reason, code] += 1
                unknown["failure_reason"] += reason is FailureReason.UNKNOWN
                if kind is RecipientStatus.TEMPORARY_FAILURE and reason in LIMITERS:
                    releases.setdefault((queue, LIMITERS[reason]), []).append(_moment(times["next_retry"]))
            if kind in WAITING:
                attempts.append(times["retry_num"])
                overdue[queue] += (taken_at - _moment(times["next_retry"])).total_seconds() > 300
                expires = times.get("expires")
                expired[queue] += expires is not None and _moment(expires) <= taken_at
    return QueueSnapshot(
        taken_at=taken_at,
        running=running,
        messages=len(messages),
        size_bytes=sum(message["size"] for message in messages),
        recipients=+recipients,
        oldest_created_at=min(created, default=None),
        ages_seconds=_distribution(AGE_BOUNDS_SECONDS, ages),
        attempts=_distribution(ATTEMPT_BOUNDS, attempts),
        overdue=+overdue,
        expired=+expired,
        domains=+domains,
        failures=+failures,
        held={
            pair: Held(recipients=len(times), first_release_at=min(times), last_release_at=max(times))
            for pair, times in releases.items()
        },
        truncated=False,
        unknown=+unknown,
    )


def _distribution(bounds: Sequence[float], values: Sequence[float]) -> Distribution:
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    return Distribution(bounds=tuple(bounds), counts=tuple(counts), total=float(sum(values)))


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone(UTC)
