"""The webhook of one server in the process of the test: posts are stored and counted without HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exporter.ingest.counting.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.repeats.shared_outcomes import SharedOutcomes
from exporter.ingest.counting.trail.recorder import TrailPolicy
from exporter.ingest.jobs.webhook_feed import WebhookFeed
from exporter.ingest.jobs.webhooks import WebhookJob
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.state.webhooks import STORED
from exporter.store.store import Store
from exporter.store.trail.masking import Addresses, AddressMask, load_secret
from exporter.store.webhooks.inbox import WebhookInbox
from exporter.store.webhooks.spool import BodySpool
from tests.support.virtual_time import HandClock


@dataclass
class Webhook:
    """A webhook and what counts it."""

    store: Store
    clock: HandClock
    board: ServerBoard
    ledger: Ledger
    shared: SharedOutcomes
    inbox: WebhookInbox
    feed: WebhookFeed
    job: WebhookJob

    async def post(self, body: bytes, *, answered: bool = True) -> bool:
        """Store a post as the receiver does; whether it is new."""
        with BodySpool(self.inbox.directory) as spool:
            await spool.write(body)
            at = int(self.clock.now().timestamp())
            post = await self.inbox.add(sha256(body).digest(), spool, at=at)
        self.feed.received(STORED)
        if answered:
            self.feed.answered(post.body)
        return post.is_new

    def deliveries(self) -> dict[tuple[str, ...], int]:
        """What was counted, by outcome, reason and code."""
        return dict(self.board.tallies.family("deliveries"))


@asynccontextmanager
async def webhook_on(path: Path, clock: HandClock) -> AsyncIterator[Webhook]:
    """The webhook of ``mx1`` with the history at *path*."""
    store = await Store.open(path, now=clock.now())
    try:
        board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", board.tallies, board)
        owners = DeliveryOwners(clock)
        policy = TrailPolicy(AddressMask(Addresses.FULL, await load_secret(store)))
        server_clock = ServerClock(clock)
        deliveries = DeliveryCounter(board, owners, server_clock, max_domains=25, trail=policy)
        shared, inbox = await SharedOutcomes.load(ledger), WebhookInbox(store, "mx1")
        feed = WebhookFeed(board, ledger, clock=clock)
        job = WebhookJob(board, ledger, owners, deliveries, shared, inbox, feed, clock=clock, reraise_bugs=True)
        yield Webhook(store, clock, board, ledger, shared, inbox, feed, job)
    finally:
        await store.aclose()
