"""Conditions of the posts of a server's webhook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from exporter.web.interfaces import Recent, ServerStatus
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.deliveries import OUTCOMES
from exporter.web.verdict.thresholds import Threshold, Thresholds
from exporter.web.words import count

REFUSED = "webhook_refused:"
"""Prefix of the names in the history of the numbers of refused posts; the result follows."""


def webhook_conditions(server: ServerStatus, limits: Thresholds, now: datetime) -> Iterator[Condition]:
    """Yield the conditions of a server's webhook."""
    if server.webhook is None or server.recent is None:
        return
    yield from _silent(server.webhook.last_post_at, server.recent, limits.get("StalwartWebhookSilent"), now)
    yield from _refused(server.recent, limits.get("StalwartWebhookRefused"))


def _silent(
    last_post_at: datetime | None, recent: Recent, limit: Threshold | None, now: datetime
) -> Iterator[Condition]:
    if limit is None or (last_post_at is not None and (now - last_post_at).total_seconds() <= limit["window"]):
        return
    if sum(recent.increase(outcome, limit["window"]) for outcome in OUTCOMES) > limit["deliveries"]:
        yield Condition(
            alert="StalwartWebhookSilent",
            what="the webhook is silent while mail flows",
            do="Compare the server's settings with those that stalwart-exporter webhook prints.",
            last_good_at=last_post_at,
        )


def _refused(recent: Recent, limit: Threshold | None) -> Iterator[Condition]:
    if limit is None:
        return
    for name in sorted(name for name in recent.names() if name.startswith(REFUSED)):
        refused = recent.increase(name, limit["window"])
        if refused > limit["posts"]:
            reason = name.removeprefix(REFUSED)
            yield Condition(
                alert="StalwartWebhookRefused",
                about=reason,
                what=f"{count(int(refused), 'webhook post')} refused as {reason}",
                do="Compare the signature keys, and see the runbook for other reasons.",
            )
