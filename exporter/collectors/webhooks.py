"""The posts of a server's webhook."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.collectors import own_families as own
from exporter.collectors.exposition import Collected
from exporter.state.board import Part, ServerBoard


class WebhookSource:
    """
    What arrived by the webhook, if one is configured::

        stalwart_exporter_webhook_posts_total{server="mx1",result="stored"} 42
        stalwart_exporter_webhook_pending_posts{server="mx1"} 0
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.HEALTH)

    def collect(self) -> Iterator[Collected]:
        webhook = self._board.webhook
        if webhook is None:
            return
        yield own.WEBHOOK_POSTS, {(result,): n for result, n in webhook.posts.items()}
        yield own.WEBHOOK_EVENTS, {(): webhook.events}
        yield own.WEBHOOK_REPEATED, {(): webhook.repeated_events}
        yield own.WEBHOOK_UNREADABLE, {(): webhook.unreadable}
        yield own.WEBHOOK_HOLES, {(cause,): n for cause, n in webhook.holes.items()}
        if webhook.last_post_at is not None:
            yield own.WEBHOOK_LAST_POST, {(): webhook.last_post_at.timestamp()}
        yield own.WEBHOOK_PENDING_POSTS, {(): webhook.pending_posts}
        yield own.WEBHOOK_PENDING_BYTES, {(): webhook.pending_bytes}
