"""
Pausing and resuming deliveries.

Contract: Stalwart v0.11-v0.16; v0.10 cannot be paused, and from v0.16 on the state cannot be read. On v0.11 to v0.16.12
a resumed queue sleeps until the next queue event, so a retry causes one. Up to v0.12 a retried message bounces if that
attempt is deferred, so there only a message that the operator names is retried.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from exporter.clock import Clock
from exporter.errors import TargetError, TargetForbidden, TargetRefused, TargetUnsupported
from exporter.model.server import Generation
from exporter.stalwart.operator.client import OperatorClient, Verdict
from exporter.stalwart.operator.control import SETTLE_SECONDS
from exporter.stalwart.operator.effects import Effect, Result, has_moved
from exporter.stalwart.operator.journal import Journal
from exporter.stalwart.operator.messages import QueuedMessage

MOST_READ = 5_000
"""Messages among which due ones are looked for; from v0.16 on the first are due first."""

MOST_WATCHED = 50
"""Due messages whose attempts show that the queue runs."""

NOT_SAID = "this release does not report whether it is paused"


class Switch:
    """Pauses and resumes one server; each change is recorded by *journal* first."""

    def __init__(self, client: OperatorClient, *, clock: Clock, journal: Journal) -> None:
        self._client = client
        self._clock = clock
        self._journal = journal

    async def pause(self) -> Effect:
        """Pause deliveries; running attempts continue. Raises a `TargetError`."""
        if await self._running() is False:
            return Effect(Result.APPLIED, "it was paused already")
        number = self._journal.begin("pause", "", 0)
        return await self._recorded(number, self._pause)

    async def resume(self, kick: str | None = None) -> Effect:
        """
        Resume deliveries, and wake the queue if nothing is attempted.

        *kick* is the id of the message to wake it with. Raises a `TargetError`.
        """
        await self._running()
        number = self._journal.begin("resume", "", 0)
        return await self._recorded(number, lambda: self._resume(kick))

    async def _recorded(self, number: int, work: Callable[[], Awaitable[Effect]]) -> Effect:
        try:
            effect = await work()
        except TargetError as error:
            refused = isinstance(error, TargetForbidden | TargetRefused)
            self._journal.end(number, Effect(Result.REFUSED if refused else Result.LOST, str(error)))
            raise
        self._journal.end(number, effect)
        return effect

    async def _running(self) -> bool | None:
        running = await self._client.fetch_running()
        if running is None and self._client.generation is Generation.REST:
            raise TargetUnsupported("Stalwart v0.10 cannot be paused")
        return running

    async def _pause(self) -> Effect:
        await self._client.pause()
        await self._clock.sleep(SETTLE_SECONDS)
        running = await self._client.fetch_running()
        if running is None:
            return Effect(Result.UNCONFIRMED, f"accepted; {NOT_SAID}")
        return Effect(Result.NOT_APPLIED, "the server says it is running") if running else Effect(Result.APPLIED)

    async def _resume(self, kick: str | None) -> Effect:
        queued = await self._read()
        due = _due(queued, self._clock.now())[:MOST_WATCHED]
        await self._client.resume()
        await self._clock.sleep(SETTLE_SECONDS)
        if await self._client.fetch_running() is False:
            return Effect(Result.NOT_APPLIED, "the server says it is paused")
        if not queued:
            return Effect(Result.APPLIED, "the queue is empty")
        if due and await self._moves(due):
            return Effect(Result.APPLIED, "attempts have begun")
        return await self._wake(queued, due, kick)

    async def _wake(self, queued: Sequence[QueuedMessage], due: Sequence[QueuedMessage], kick: str | None) -> Effect:
        chosen = self._choose(queued, due, kick)
        if chosen is None:
            return Effect(
                Result.NOT_APPLIED if due else Result.UNCONFIRMED,
                "it sleeps until the next message arrives or one is retried; up to v0.12 a retried message bounces if "
                "that attempt is deferred: name an unimportant one with --kick ID",
            )
        number = self._journal.begin("kick", chosen.id, 0)
        effect = await self._recorded(number, lambda: self._kick(chosen))
        if not due:
            return Effect(Result.APPLIED, f"no message is due; woken with message {chosen.id}")
        if effect.result is not Result.APPLIED or not await self._moves(due):
            return Effect(
                Result.NOT_APPLIED,
                f"{len(due)} messages are due, none was attempted; {chosen.id} was retried",
            )
        return Effect(Result.APPLIED, f"attempts have begun, after a retry of message {chosen.id}")

    def _choose(
        self, queued: Sequence[QueuedMessage], due: Sequence[QueuedMessage], kick: str | None
    ) -> QueuedMessage | None:
        if kick is not None:
            return next((message for message in queued if message.id == kick), None)
        candidates = [message for message in due or queued if message.pending() and not message.by_domain]
        return min(candidates, key=lambda message: message.next_retry_at() or message.created_at, default=None)

    async def _kick(self, message: QueuedMessage) -> Effect:
        answer = await self._client.wake(message)
        await self._clock.sleep(SETTLE_SECONDS)
        applied = answer.verdict is Verdict.ACCEPTED
        return Effect(Result.APPLIED if applied else Result.REFUSED, answer.detail)

    async def _read(self) -> list[QueuedMessage]:
        return [message async for page in self._client.walk(max_messages=MOST_READ) for message in page]

    async def _moves(self, due: Sequence[QueuedMessage]) -> bool:
        after: Mapping[str, QueuedMessage] = await self._client.fetch([message.id for message in due])
        return any(has_moved(message, after.get(message.id)) for message in due)


def _due(messages: Sequence[QueuedMessage], now: datetime) -> list[QueuedMessage]:
    found = [(at, message) for message in messages if (at := message.next_retry_at()) is not None and at <= now]
    return [message for _, message in sorted(found, key=lambda pair: pair[0])]
