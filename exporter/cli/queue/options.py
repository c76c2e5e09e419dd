"""The options of ``queue``, parsed to values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import typer

from exporter.cli.history.options import domain_of, duration_of
from exporter.cli.queue.arguments import Given
from exporter.model.queue import RecipientStatus
from exporter.stalwart.http.responses import quoted
from exporter.stalwart.operator.selection import Selection
from exporter.units import format_duration

STATUSES = [status.value for status in RecipientStatus if status is not RecipientStatus.UNKNOWN]


def selection_of(given: Given) -> Selection:
    """Return the filter without its ids; raises `typer.BadParameter`, which exits with status 2."""
    for name in ("sender", "recipient", "domain", "older_than", "status", "queue", "text"):
        if getattr(given, name) is not None and not getattr(given, name).strip():
            raise typer.BadParameter(f"--{name.replace('_', '-')}: is empty")
    if any(not id_.strip() for id_ in given.ids or ()):
        raise typer.BadParameter("ID: is empty")
    if given.status is not None and given.status not in STATUSES:
        raise typer.BadParameter(f"--status: one of {', '.join(STATUSES)}")
    return Selection(
        sender=given.sender,
        recipient=given.recipient,
        domain=None if given.domain is None else domain_of("--domain", given.domain),
        older_than=None
        if given.older_than is None
        else timedelta(seconds=duration_of("--older-than", given.older_than)),
        attempts=given.attempts,
        status=None if given.status is None else RecipientStatus(given.status),
        queue=given.queue,
        text=given.text,
    )


def require_filter(given: Given, *, everything: bool) -> None:
    """Refuse a change without a filter unless *everything* is meant, and *everything* with a filter."""
    if given.is_empty and not everything:
        raise typer.BadParameter("name message ids or a filter; --all selects the whole queue")
    if everything and not given.is_empty:
        raise typer.BadParameter("--all: conflicts with ids and filters; accepted: only one of the two")


def time_of(text: str | None, *, now: datetime) -> datetime | None:
    """Parse ``--at``: a time, or a duration from now; it must be in the future."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        at = now + timedelta(seconds=duration_of("--at", text))
    if at <= now:
        raise typer.BadParameter("--at: must be in the future; without it the attempt is made now")
    return at


def described(given: Given, selection: Selection, *, everything: bool) -> str:
    """Return the filter for the record: without addresses."""
    if everything:
        return "--all"
    parts = ["ids"] if given.ids else []
    parts += [f"--{name} ***" for name in ("sender", "recipient") if getattr(given, name) is not None]
    parts += [f"--domain {selection.domain}"] if selection.domain is not None else []
    if selection.older_than is not None:
        parts.append(f"--older-than {format_duration(selection.older_than.total_seconds())}")
    parts += [f"--attempts {selection.attempts}"] if selection.attempts is not None else []
    parts += [f"--status {selection.status}"] if selection.status is not None else []
    parts += [f"--{name} {quoted(text)}" for name in ("queue", "text") if (text := getattr(given, name)) is not None]
    return " ".join(parts)
