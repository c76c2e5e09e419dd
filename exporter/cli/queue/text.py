"""Queued messages and results as tables and as JSON; nearly all of their text is written by others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from exporter.cli.history.text import cell, domain_cell, facts, table
from exporter.clock import rfc3339
from exporter.domains import UNKNOWN_DOMAIN, domain_of
from exporter.history.texts import counted, number
from exporter.stalwart.operator.client import Target
from exporter.stalwart.operator.effects import Effect
from exporter.stalwart.operator.messages import QueuedMessage, QueuedRecipient

MOST_DOMAINS = 10

Match = tuple[QueuedMessage, Sequence[QueuedRecipient]]
"""A message and those of its recipients that are meant."""


def message_table(matches: Sequence[Match], *, now: datetime) -> Table:
    """Return one line per message, with the first recipient that is meant."""
    made = table("=id", "#age", "sender", "recipient", "=queue", "=status", "#attempts", "=next retry", "last reply")
    for message, meant in matches:
        first = meant[0]
        more = f" and {len(meant) - 1} more" if len(meant) > 1 else ""
        made.add_row(
            cell(message.id),
            age(now - message.created_at),
            cell(message.sender or "<>"),
            cell(first.address) + more,
            cell(first.queue),
            first.status.value,
            number(first.attempts),
            until(first, now=now),
            cell(first.reply),
        )
    return made


def age(span: Any) -> str:
    """Format an age: ``4m``, ``3h``, ``2d``."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def until(recipient: QueuedRecipient, *, now: datetime) -> str:
    """Format the time to the next attempt: ``in 5m``, ``due since 3m``; empty if there will be none."""
    if not recipient.is_pending:
        return ""
    left = recipient.next_retry_at - now
    return f"in {age(left)}" if left.total_seconds() > 0 else f"due since {age(-left)}"


def domain_table(matches: Sequence[Match]) -> Table:
    """Return the number of messages and recipients by destination, most recipients first."""
    messages: Counter[str] = Counter()
    recipients: Counter[str] = Counter()
    for _, meant in matches:
        domains = [domain_of(recipient.address) or UNKNOWN_DOMAIN for recipient in meant]
        messages.update(set(domains))
        recipients.update(domains)
    made = table("destination", "#messages", "#recipients")
    ranked = recipients.most_common()
    for domain, count in ranked[:MOST_DOMAINS]:
        made.add_row(domain_cell(domain), number(messages[domain]), number(count))
    if len(ranked) > MOST_DOMAINS:
        rest = sum(count for _, count in ranked[MOST_DOMAINS:])
        made.add_row(f"{len(ranked) - MOST_DOMAINS} others", "", number(rest))
    return made


def sum_of(matches: Sequence[Match]) -> str:
    """Format ``3 messages, 5 recipients``."""
    recipients = sum(len(meant) for _, meant in matches)
    return f"{counted(len(matches), 'message')}, {counted(recipients, 'recipient')}"


def message_facts(message: QueuedMessage) -> Table:
    """Return a message without its recipients."""
    made = facts()
    made.add_row("id", cell(message.id))
    made.add_row("sender", cell(message.sender or "<>"))
    made.add_row("accepted", rfc3339(message.created_at))
    made.add_row("size", f"{number(message.size_bytes)} bytes")
    return made


def recipient_table(recipients: Sequence[QueuedRecipient], *, now: datetime) -> Table:
    """Return one line per recipient."""
    made = table("recipient", "=queue", "=status", "#attempts", "=next retry", "=expires", "last reply")
    for recipient in recipients:
        made.add_row(
            cell(recipient.address),
            cell(recipient.queue),
            recipient.status.value,
            number(recipient.attempts),
            until(recipient, now=now),
            rfc3339(recipient.expires_at) if recipient.expires_at is not None else "",
            cell(recipient.reply),
        )
    return made


def message_json(message: QueuedMessage, recipients: Sequence[QueuedRecipient]) -> Mapping[str, Any]:
    """Return a message for JSON, with *recipients*."""
    return {
        "id": message.id,
        "sender": message.sender,
        "created_at": rfc3339(message.created_at),
        "size_bytes": message.size_bytes,
        "recipients": [
            {
                "address": recipient.address,
                "queue": recipient.queue,
                "status": recipient.status.value,
                "reply": recipient.reply,
                "attempts": recipient.attempts,
                "next_retry_at": rfc3339(recipient.next_retry_at),
                "expires_at": rfc3339(recipient.expires_at) if recipient.expires_at is not None else None,
            }
            for recipient in recipients
        ],
    }


def result_table(done: Sequence[tuple[str, Effect]]) -> Table:
    """Return one line per message."""
    made = table("=id", "=result", "detail")
    for id_, effect in done:
        made.add_row(cell(id_), effect.result.value, cell(effect.detail))
    return made


def scope(target: Target) -> Sequence[QueuedRecipient]:
    """Return the recipients that a change is meant for."""
    chosen = target.addresses
    return [recipient for recipient in target.message.pending() if chosen is None or recipient.address in chosen]
