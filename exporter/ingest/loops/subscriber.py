"""
The loop around every live stream: connects, applies its messages, detects silence and reconnects.

A stream that the server does not support or forbids is retried once per hour after a second refusal has confirmed it.
The wait before reconnecting grows up to one minute while connections keep ending early: each attempt costs the server
two or three requests.
"""

from __future__ import annotations

import random
from typing import NoReturn

import structlog

from exporter.backoff import retry_delay
from exporter.clock import Clock
from exporter.errors import PayloadError, TargetError, TargetForbidden, TargetUnsupported
from exporter.ingest.loops.availability import Availability, Refusal, status_of
from exporter.ingest.loops.feed import Feed
from exporter.ingest.loops.guard import catching_bugs
from exporter.ingest.loops.session import Session
from exporter.model.live import LiveBatch, StreamKind
from exporter.model.server import Capability
from exporter.stalwart.live import LiveClient
from exporter.stalwart.streams.live_stream import LiveStream
from exporter.stalwart.streams.stream import RenewalDue
from exporter.state.board import Part
from exporter.state.health import CollectorHealth
from exporter.state.streams import StreamHealth

log = structlog.get_logger("exporter.subscriber")

STABLE_SECONDS = 30.0
"""A connection that lasted this long was stable: its end resets the count of consecutive failures."""

OUT_SECONDS = 300.0
"""After this long without the stream the next source takes over."""

FIRST_OUT_SECONDS = 60.0
"""The same, if the stream was never connected."""

RETRY_CAP_SECONDS = 60.0

MAX_UNREADABLE = 100
"""This many messages received together, none of them readable, end the stream."""

IDLE_MARGIN_SECONDS = 15.0
CAPABILITIES = {StreamKind.METRICS: Capability.LIVE_METRICS, StreamKind.TRACES: Capability.LIVE_TRACES}


class Subscriber:
    """Follows one live stream of one server."""

    def __init__(
        self,
        *,
        feed: Feed,
        live: LiveClient,
        session: Session,
        clock: Clock,
        rng: random.Random,
        idle_margin_seconds: float = IDLE_MARGIN_SECONDS,
        reraise_bugs: bool = False,
    ) -> None:
        self.name = f"live_{feed.kind.value}"
        self._feed = feed
        self._live = live
        self._session = session
        self._clock = clock
        self._rng = rng
        self._idle_margin_seconds = idle_margin_seconds
        self._reraise_bugs = reraise_bugs
        self._failures = 0
        self._availability = Availability(session, CAPABILITIES[feed.kind], clock)
        self._renewing = False
        self._epoch = -1
        self._heartbeat_seconds = feed.heartbeat_seconds
        self._lost_at: float | None = None
        self._started_at = clock.monotonic()
        self._stream = StreamHealth(feed.kind.value)
        self._health = CollectorHealth(name=self.name, interval_seconds=feed.heartbeat_seconds)
        session.board.streams[feed.kind.value] = self._stream
        session.board.collectors[self.name] = self._health

    async def run(self) -> NoReturn:
        """Follow the stream until cancelled."""
        while True:
            failure = await self.run_once()
            self._touch()
            await self._pause(failure)

    async def run_once(self) -> TargetError | RenewalDue:
        """Open the stream and follow it until it ends; return the reason."""
        try:
            await self._session.client()
            return await catching_bugs(
                self._follow_to_its_end(),
                server=self._session.board.name,
                task=self.name,
                reraise=self._reraise_bugs,
            )
        except (TargetUnsupported, TargetForbidden) as error:
            return await self._refused(error)
        except TargetError as error:
            return await self._failed(error)

    async def _follow_to_its_end(self) -> RenewalDue:
        try:
            await self._follow(await self._open())
        except RenewalDue as due:
            self._renewing = True
            return due

    async def _open(self) -> LiveStream:
        if self._epoch != self._session.epoch:
            self._epoch = self._session.epoch
            self._live.forget_transport()
        return await self._live.open(self._feed.kind)

    async def _follow(self, stream: LiveStream) -> NoReturn:
        """Apply messages until the stream ends; raises the reason."""
        opened_at = self._clock.monotonic()
        try:
            async with stream.reading(idle_seconds=self._idle_seconds, received=self._received):
                await self._connected(stream)
                while True:
                    await self._apply(await stream.receive())
        finally:
            if self._clock.monotonic() - opened_at >= STABLE_SECONDS:
                self._failures = 0
            await self._disconnected()

    def _idle_seconds(self) -> float:
        """Return how long the stream may be silent."""
        return 2 * self._heartbeat_seconds + self._idle_margin_seconds

    def _received(self) -> None:
        self._health.last_success_at = self._clock.now()

    async def _connected(self, stream: LiveStream) -> None:
        health = self._stream
        if self._lost_at is not None:
            health.gap_seconds += self._clock.monotonic() - self._lost_at
            self._lost_at = None
        health.connected, health.transport = True, stream.transport
        health.connects += 1
        self._health.succeeded(self._clock.now())
        self._session.note(None)
        self._availability.succeeded()
        say = log.debug if self._renewing else log.info  # A renewal changes nothing for the operator.
        say("stream.connected", server=self._session.board.name, stream=health.name, transport=stream.transport)
        self._renewing = False
        await self._feed.connected()
        self._touch()

    async def _apply(self, batch: LiveBatch) -> None:
        applied = await self._feed.apply(batch)
        if applied.heartbeat_seconds:
            self._heartbeat_seconds = self._health.interval_seconds = applied.heartbeat_seconds
        health = self._stream
        health.events += applied.events
        if applied.dropped:
            log.warning("stream.dropped", server=self._session.board.name, stream=health.name, events=applied.dropped)
            health.dropped += applied.dropped
        if applied.events:
            health.last_event_at = self._clock.now()
        self._touch()
        if applied.dropped >= MAX_UNREADABLE and not applied.events:
            raise PayloadError(f"{self.name}: {applied.dropped} unreadable messages in a row")

    async def _disconnected(self) -> None:
        self._stream.connected = False
        self._lost_at = self._clock.monotonic()
        self._touch()
        await self._feed.lost()

    async def _pause(self, failure: TargetError | RenewalDue) -> None:
        if isinstance(failure, RenewalDue):
            if failure.wait_seconds > 0:
                await self._session.wait_for_news(failure.wait_seconds)
        elif isinstance(failure, TargetUnsupported | TargetForbidden):
            await self._session.wait_for_news(self._availability.wait_seconds(soon_seconds=2 * self._heartbeat_seconds))
        else:
            await self._session.wait_for_news(
                retry_delay(failure, max(1, self._failures), self._rng, cap_seconds=RETRY_CAP_SECONDS)
            )

    async def _failed(self, error: TargetError) -> TargetError:
        self._failures += 1
        if self._health.failed(error):
            log.warning(
                "stream.lost",
                server=self._session.board.name,
                stream=self._stream.name,
                reason=error.reason,
                error=str(error),
            )
        since, patience = self._lost_at, OUT_SECONDS
        if since is None:
            since, patience = self._started_at, FIRST_OUT_SECONDS
        if self._clock.monotonic() - since >= patience:
            await self._feed.out(for_good=False)
        return error

    async def _refused(self, error: Refusal) -> TargetError:
        if not self._availability.refused(error):
            return await self._failed(error)
        if self._health.switched_off(error):
            log.info(
                "stream.disabled",
                server=self._session.board.name,
                stream=self._stream.name,
                status=status_of(error).value,
                error=str(error),
            )
        self._failures = 0
        await self._feed.out(for_good=True)
        return error

    def _touch(self) -> None:
        self._session.board.touch(Part.HEALTH)
