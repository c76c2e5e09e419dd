"""The webhook of one server: its receiver's target and the job that counts the posts."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.app.servers.plan import Counting
from exporter.app.servers.saved import Saved
from exporter.clock import Clock
from exporter.ingest.jobs.webhook_feed import WebhookFeed
from exporter.ingest.jobs.webhooks import WebhookJob
from exporter.settings import ServerSettings
from exporter.store.store import Store
from exporter.store.webhooks.inbox import WebhookInbox
from exporter.web.webhooks import Target


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """Limits for the posts of one server."""

    max_body_bytes: int
    max_backlog_bytes: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    The parts of one webhook.

    Attributes:
        path: Where the server posts.
    """

    path: str
    target: Target
    job: WebhookJob


def webhook_of(
    settings: ServerSettings,
    saved: Saved,
    counting: Counting,
    store: Store,
    limits: WebhookLimits,
    *,
    clock: Clock,
    reraise_bugs: bool,
) -> Webhook | None:
    """Build the webhook of a server; ``None`` if none is configured."""
    key = settings.webhook.key
    if key is None or counting.shared is None:
        return None
    inbox = WebhookInbox(store, settings.name)
    feed = WebhookFeed(saved.board, saved.ledger, clock=clock)
    job = WebhookJob(
        saved.board,
        saved.ledger,
        counting.owners,
        counting.deliveries,
        counting.shared,
        inbox,
        feed,
        clock=clock,
        reraise_bugs=reraise_bugs,
    )
    target = Target(key, inbox, feed, limits.max_body_bytes, limits.max_backlog_bytes)
    return Webhook(settings.webhook.path_for(settings.name), target, job)
