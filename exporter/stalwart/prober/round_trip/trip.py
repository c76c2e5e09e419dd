"""One round trip after the other: a message is submitted, awaited in its mailbox, and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from exporter.clock import Clock
from exporter.errors import TargetError, TargetRefused, TargetTimeout, without_frames
from exporter.model.outside import RoundTripProbe, TripResult, TripStage
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.prober.round_trip.imap import Mailbox
from exporter.stalwart.prober.round_trip.lines import Listener, translated
from exporter.stalwart.prober.round_trip.message import message_of, new_token
from exporter.stalwart.prober.round_trip.smtp import MessageDeferred, MessageRejected, Submission

FIRST_PAUSE_SECONDS = 0.05
MOST_PAUSE_SECONDS = 5.0
PAUSE_GROWTH = 1.5

MOST_LEFT_OVER = 20
"""The most messages of earlier probes that are deleted per round trip."""

LEFT_OVER_AGE = timedelta(days=1)

T = TypeVar("T")


class MessageMissing(TargetTimeout):
    """The message was accepted, but not in the mailbox by the deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    Where the messages go.

    Attributes:
        address: Sender and recipient, in ASCII.
        mailbox: Where they arrive, in printable ASCII without quotes and backslashes.
        arrival_seconds: How long a message may take from its acceptance.
        step_seconds: The deadline for everything else: a login, a submission, a look at the mailbox, a deletion.
    """

    submission: Listener
    imap: Listener
    address: str
    username: str
    password: str = field(repr=False)
    mailbox: str
    arrival_seconds: float
    step_seconds: float


class RoundTrip:
    """Makes round trips; after refused credentials none, until `allow_retry`."""

    def __init__(self, route: Route, *, clock: Clock, resolver: Resolver) -> None:
        self._route = route
        self._clock = clock
        self._resolver = resolver
        self._refused = False

    def allow_retry(self) -> None:
        """Send the credentials again, even if they were refused."""
        self._refused = False

    async def run(self) -> tuple[RoundTripProbe, TargetError | None]:
        """
        Make one round trip; return what it showed, and what went wrong.

        Raises `TargetRefused` without connecting if the credentials were refused before.
        """
        if self._refused:
            raise TargetRefused("round trip: login refused before; correct it, then reload")
        travel = _Travel(self._route, self._clock, self._resolver)
        trouble = await travel.go()
        self._refused = isinstance(trouble, TargetRefused)
        return travel.probe(trouble), trouble


class _Travel:
    """One round trip."""

    def __init__(self, route: Route, clock: Clock, resolver: Resolver) -> None:
        self._route = route
        self._clock = clock
        self._resolver = resolver
        self._token = new_token()
        self._at = TripStage.LOGIN
        self._seconds: dict[TripStage, float] = {}
        self._deleted = False

    def probe(self, trouble: TargetError | None) -> RoundTripProbe:
        return RoundTripProbe(stage=self._at, result=self._result(trouble), seconds=dict(self._seconds))

    async def go(self) -> TargetError | None:
        async with AsyncExitStack() as open_sessions:
            try:
                await self._go(open_sessions)
            except TargetError as error:
                return without_frames(error)
        return None

    async def _go(self, open_sessions: AsyncExitStack) -> None:
        step = self._route.step_seconds
        box = await self._pass(TripStage.LOGIN, self._open(), step)
        open_sessions.push_async_callback(box.aclose)
        await self._pass(TripStage.SUBMIT, self._submit(), step)
        # Each look has a deadline of its own.
        uid = await self._pass(TripStage.VISIBLE, self._await_message(box), self._route.arrival_seconds + 2 * step)
        await self._pass(TripStage.DELETE, box.delete([uid]), step)
        self._deleted = True
        await self._within(step, "left-over messages", self._tidy_up(box))

    async def _open(self) -> Mailbox:
        route = self._route
        return await Mailbox.open(
            route.imap,
            self._resolver,
            username=route.username,
            password=route.password,
            mailbox=route.mailbox,
            timeout_seconds=route.step_seconds,
        )

    async def _submit(self) -> None:
        route = self._route
        session = await Submission.log_in(
            route.submission,
            self._resolver,
            greeting=route.address.rpartition("@")[2],
            username=route.username,
            password=route.password,
            timeout_seconds=route.step_seconds,
        )
        try:
            await session.send(message_of(self._token, route.address, now=self._clock.now()), route.address)
        finally:
            await session.aclose()

    async def _await_message(self, box: Mailbox) -> int:
        deadline = self._clock.monotonic() + self._route.arrival_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            async with asyncio.timeout(self._route.step_seconds):
                uid = await box.find(self._token)
            if uid is not None:
                return uid
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise MessageMissing(
                    f"the message was accepted, but not in the mailbox within {self._route.arrival_seconds:g} s"
                )
            await self._clock.sleep(min(pause, left))
            pause = min(pause * PAUSE_GROWTH, MOST_PAUSE_SECONDS)

    async def _tidy_up(self, box: Mailbox) -> None:
        """Delete messages of earlier probes that came too late to be deleted then."""
        left = await box.left_over((self._clock.now() - LEFT_OVER_AGE).date(), most=MOST_LEFT_OVER)
        if left:
            await box.delete(left)

    async def _pass(self, stage: TripStage, work: Awaitable[T], seconds: float) -> T:
        """Return what *work* returns, and note how long it took."""
        self._at = stage
        started = self._clock.monotonic()
        done = await self._within(seconds, stage.value, work)
        self._seconds[stage] = self._clock.monotonic() - started
        return done

    async def _within(self, seconds: float, what: str, work: Awaitable[T]) -> T:
        with translated(f"round trip: {what}"):
            async with asyncio.timeout(seconds):
                return await work

    def _result(self, trouble: TargetError | None) -> TripResult:
        if self._deleted:
            return TripResult.ARRIVED
        if self._at is TripStage.DELETE:
            return TripResult.LEFT
        for kind, result in _RESULTS.items():
            if isinstance(trouble, kind):
                return result
        return TripResult.FAILED


_RESULTS: dict[type[TargetError], TripResult] = {
    TargetRefused: TripResult.REFUSED,
    MessageRejected: TripResult.REJECTED,
    MessageDeferred: TripResult.DEFERRED,
    MessageMissing: TripResult.MISSING,
}
