"""What is wrong with a server's webhook, as far as the running daemon has seen it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from exporter.clock import rfc3339
from exporter.errors import StoreError
from exporter.settings import ServerSettings
from exporter.stalwart.webhooks.subscription import harmful_in, missing_from
from exporter.state.webhooks import FORGED, FULL, REPLAYED, TOO_LARGE, UNSIGNED
from exporter.store.reading import reading
from exporter.store.webhooks.summary import WebhookSummary, load_summary

PRINTS = "stalwart-exporter webhook prints its settings"

SEVERAL = 3
"""Fewer outcomes that were not posted may have been lost."""

REFUSED = {
    UNSIGNED: "without a signature: set its signature key to the exporter's `webhook.secret`; a key file or variable "
    "that the server cannot read at its start has this effect too",
    FORGED: "with a wrong signature: its signature key and the exporter's `webhook.secret` must be the same",
    REPLAYED: "that had been posted long before: somebody repeats recorded posts",
    TOO_LARGE: "beyond `webhooks.max_body`: raise it, or the server drops the events",
    FULL: "while `webhooks.max_backlog` was used up",
}


def look_at_webhook(settings: ServerSettings, history: Path) -> Sequence[str]:
    """Return the problems, one sentence each; empty without a webhook or a problem."""
    if settings.webhook.key is None:
        return ()
    try:
        with reading(history) as connection:
            summary = load_summary(connection, settings.name)
    except StoreError as error:
        return (f"whether posts arrive is not known: {error}",)
    return list(_problems(summary))


def _problems(summary: WebhookSummary) -> Iterator[str]:
    last_at = summary.last_at or 0
    for reason, (number, at) in sorted(summary.refused.items()):
        if reason in REFUSED and at >= last_at:
            yield f"the server posts {REFUSED[reason]} ({number} refused, last at {_time(at)})"
    if summary.last_at is None:
        if not summary.refused:
            yield f"no post has arrived while the daemon was running; {PRINTS}"
        return
    harmful = harmful_in(summary.types)
    if harmful:
        named = ", ".join(harmful)
        yield f"the server posts {named}, which contain passwords or whole messages: use the exact list; {PRINTS}"
    lacking = [name for name in missing_from(summary.types) if _is_lacking(name, summary)]
    if lacking:
        named = ", ".join(lacking)
        yield f"its list of events lacks {named}: deliveries lack their reasons, or come from the log only; {PRINTS}"


def _is_lacking(name: str, summary: WebhookSummary) -> bool:
    """Whether an event was never posted although it must have happened."""
    of_attempt = name.startswith("delivery.attempt-") and any(type_.startswith("delivery.") for type_ in summary.types)
    return of_attempt or summary.missed.get(name, 0) >= SEVERAL


def _time(second: int) -> str:
    return rfc3339(datetime.fromtimestamp(second, UTC))
