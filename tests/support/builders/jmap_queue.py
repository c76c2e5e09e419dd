"""Queues of a server of v0.16, and walks over them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from exporter.model.queue import QueueSnapshot
from exporter.stalwart.jmap.client import JmapClient
from tests.support.replays.jmap import JmapServer
from tests.support.replays.jmap_client import asked

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def queue_of(server: JmapServer, *, max_messages: int = 0, **settings: Any) -> QueueSnapshot:
    """One poll."""

    async def job(client: JmapClient) -> QueueSnapshot:
        return await client.fetch_queue(max_messages=max_messages)

    return asked(server, job, **settings)
