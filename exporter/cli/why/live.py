"""
Asks a server for one message of its queue, with the watching credentials.

The requests are those of the daemon and a read of one message; nothing that changes a server can be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from exporter.answers.queue_state import LiveState, Presence, WaitingMessage, WaitingRecipient
from exporter.app.servers.connection import context_for, credentials_of
from exporter.clock import SystemClock
from exporter.errors import SettingsError, TargetError, TargetForbidden
from exporter.history.why import Look
from exporter.model.server import Generation
from exporter.settings import ServerSettings
from exporter.stalwart.common.ids import encode_id
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import EndpointTable
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.operator.calls import OperatorEndpoint
from exporter.stalwart.operator.messages import QueuedMessage
from exporter.stalwart.operator.opening import open_operator

LOOK_SECONDS = 10.0
"""How long a server may take for everything; the answer from the trail waits for it."""

READS: frozenset[EndpointTable] = frozenset(
    {
        Endpoint.QUEUE_STATUS,
        Endpoint.JMAP_SESSION,
        Endpoint.JMAP_ACCOUNT,
        Endpoint.JMAP,
        OperatorEndpoint.MESSAGE,
    }
)
"""Everything that may be sent: reads."""


def look(server: ServerSettings, queue_ids: Sequence[int]) -> Look:
    """Return the first of *queue_ids* that is in the queue of *server*; trouble is part of the result."""
    return asyncio.run(_look(server, queue_ids))


async def _look(server: ServerSettings, queue_ids: Sequence[int]) -> Look:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await _ask(server, queue_ids)
    except TimeoutError:
        trouble = f"the server did not answer within {LOOK_SECONDS:.0f} s"
    except TargetForbidden:
        trouble = "the key may not read the queue (message-queue-get up to v0.15, sysQueuedMessageGet from v0.16 on)"
    except TargetError as error:
        trouble = str(error)
    except SettingsError as error:
        trouble = "; ".join(error.problems)
    return Look(LiveState(trouble=trouble))


async def _ask(server: ServerSettings, queue_ids: Sequence[int]) -> Look:
    clock = SystemClock()
    server_clock = ServerClock(clock, server=server.name)
    transport = Transport(
        base_url=server.url,
        credentials=credentials_of(server.credentials),
        clock=clock,
        throttle=Throttle(clock=clock, requests=server.max_requests_per_minute),
        tls=context_for(server),
        connect_timeout_seconds=server.connect_timeout,
        read_timeout_seconds=server.read_timeout,
        total_timeout_seconds=server.request_timeout,
        max_body_bytes=server.max_body_bytes,
        server_clock=server_clock,
        allowed=READS,
    )
    try:
        client = await open_operator(transport, clock=server_clock)
        spelled = {(str(id_) if client.generation is Generation.REST else encode_id(id_)): id_ for id_ in queue_ids}
        for text, queue_id in spelled.items():
            found = await client.fetch([text])
            if text in found:
                running = await client.fetch_running()
                return Look(
                    LiveState(presence=Presence.PRESENT, message=_waiting(found[text]), running=running), queue_id
                )
        return Look(LiveState(presence=Presence.ABSENT))
    finally:
        await transport.aclose()


def _waiting(message: QueuedMessage) -> WaitingMessage:
    return WaitingMessage(
        id=message.id,
        sender=message.sender,
        created_at=message.created_at,
        size_bytes=message.size_bytes,
        recipients=[
            WaitingRecipient(
                address=one.address,
                queue_name=one.queue,
                status=one.status,
                reply=one.reply,
                attempts=one.attempts,
                limiter=one.limiter,
                next_retry_at=one.next_retry_at if one.is_pending else None,
                expires_at=one.expires_at,
            )
            for one in message.recipients
        ],
    )
