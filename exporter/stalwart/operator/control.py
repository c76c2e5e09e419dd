"""
Changes of messages, one after the other: read, act, read again, compare.

Contract: the procedure that is safe on every release. A cancellation during an attempt is undone when the attempt ends,
which may take minutes, so such messages are watched and cancelled again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.clock import Clock
from exporter.errors import PayloadError, TargetError, TargetForbidden, TargetRefused
from exporter.stalwart.operator.client import Answer, OperatorClient, Target, Verdict
from exporter.stalwart.operator.effects import (
    DUE_BEFORE,
    DUE_NOW,
    Effect,
    Result,
    cancel_effect,
    may_be_running,
    retry_effect,
    why_ignored,
)
from exporter.stalwart.operator.journal import Journal
from exporter.stalwart.operator.selection import Selection

SETTLE_SECONDS = 2.5
"""Between a change and its reading; the server makes it within two seconds."""

CHUNK = 20
"""Messages changed before their effects are read."""

WATCH_EVERY_SECONDS = 5.0

GONE = "it is not in the queue any more"
CHANGED = "the filter does not match any more"


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt at *at*, by the server's clock; ``None``: now."""

    at: datetime | None = None
    name: str = "retry"


@dataclass(frozen=True, slots=True)
class Cancel:
    """
    The end of a delivery.

    Attributes:
        watch_seconds: How long a message is watched that an attempt may write back.
    """

    watch_seconds: float = 120.0
    name: str = "cancel"


@dataclass(frozen=True, slots=True)
class _Sent:
    """A change that was requested; *certain*: its answer has arrived."""

    target: Target
    number: int
    certain: bool = True


class Control:
    """
    The changes of one server.

    Every change is recorded by *journal* before it is requested. Once *stopping* is set, no further change is begun,
    and the effects of the others are still read. *report* receives each result.
    """

    def __init__(
        self,
        client: OperatorClient,
        *,
        clock: Clock,
        journal: Journal,
        stopping: asyncio.Event,
        report: Callable[[Target, Effect], None],
    ) -> None:
        self._client = client
        self._clock = clock
        self._journal = journal
        self._stopping = stopping
        self._report = report
        self._watched: list[_Sent] = []
        self._paused = False

    async def run(self, action: Retry | Cancel, targets: Sequence[Target], selection: Selection) -> None:
        """
        Change *targets* and read the effects back.

        Each is read again just before, and changed only as far as *selection* still applies.

        Raises a `TargetError` that ends the work, or `StoreError` if it cannot be recorded, after the effects of what
        was requested have been reported.
        """
        self._paused = await self._client.fetch_running() is False
        for start in range(0, len(targets), CHUNK):
            if self._stopping.is_set():
                break
            await self._change(action, targets[start : start + CHUNK], selection)
        if isinstance(action, Cancel):
            await self._watch(action)

    async def _change(self, action: Retry | Cancel, targets: Sequence[Target], selection: Selection) -> None:
        current = await self._client.fetch([target.message.id for target in targets])
        sent: list[_Sent] = []
        try:
            for known in targets:
                if self._stopping.is_set():
                    break
                message = current.get(known.message.id)
                target = None if message is None else selection.target(message, self._clock.now())
                if target is None:
                    self._report(known, Effect(Result.LEFT, GONE if message is None else CHANGED))
                else:
                    await self._send(action, target, sent)
        finally:
            if sent:
                await self._read_back(action, sent)

    async def _send(self, action: Retry | Cancel, target: Target, sent: list[_Sent]) -> None:
        others = self._client.bystanders(target, retry=isinstance(action, Retry))
        if others:
            plural = "" if len(others) == 1 else "s"
            effect = Effect(Result.UNSAFE, f"the server would also change {len(others)} other recipient{plural} of it")
            self._report(target, effect)
            return
        number = self._journal.begin(action.name, target.message.id, len(target.addresses or ()))
        try:
            answer = await self._request(action, target)
        except (TargetForbidden, TargetRefused) as error:
            self._finish(_Sent(target, number), Effect(Result.REFUSED, str(error)))
            raise
        except PayloadError:
            sent.append(_Sent(target, number, certain=False))
            return
        except TargetError:
            sent.append(_Sent(target, number, certain=False))
            raise
        if answer.verdict is Verdict.ACCEPTED:
            sent.append(_Sent(target, number))
        elif answer.verdict is Verdict.NOT_FOUND:
            self._finish(_Sent(target, number), Effect(Result.LEFT, GONE))
        else:
            self._finish(_Sent(target, number), Effect(Result.REFUSED, answer.detail))

    async def _request(self, action: Retry | Cancel, target: Target) -> Answer:
        if isinstance(action, Retry):
            return await self._client.retry(target, action.at)
        return await self._client.cancel(target)

    async def _read_back(self, action: Retry | Cancel, sent: Sequence[_Sent]) -> None:
        await self._clock.sleep(SETTLE_SECONDS)
        try:
            after = await self._client.fetch([one.target.message.id for one in sent])
        except TargetError as error:
            for one in sent:
                result = Result.UNCONFIRMED if one.certain else Result.LOST
                self._finish(one, Effect(result, f"the effect could not be read: {error}"))
            return
        now = self._clock.now()
        for one in sent:
            later = after.get(one.target.message.id)
            if isinstance(action, Retry):
                self._finish(one, self._explained(action, one, retry_effect(one.target, later, action.at, now=now)))
            elif may_be_running(one.target, now=now) and action.watch_seconds > 0:
                self._watched.append(one)
            else:
                self._finish(one, self._explained(action, one, cancel_effect(one.target, later)))

    async def _watch(self, action: Cancel) -> None:
        """Cancel again what running attempts write back, until the deadline."""
        ends_at = self._clock.monotonic() + action.watch_seconds
        try:
            while self._watched and self._clock.monotonic() < ends_at and not self._stopping.is_set():
                await self._wait(min(WATCH_EVERY_SECONDS, ends_at - self._clock.monotonic()))
                await self._cancel_returned(action)
        except TargetError as error:
            self._finish_watched(Result.UNCONFIRMED, f"not watched any more: {error}")
            raise
        seconds = action.watch_seconds - max(0.0, ends_at - self._clock.monotonic())
        self._finish_watched(Result.APPLIED, f"not written back within {seconds:.0f} s")

    def _finish_watched(self, result: Result, said: str) -> None:
        for one in self._watched:
            self._finish(one, Effect(result, f"an attempt was due and may have delivered it; {said}"))
        self._watched = []

    async def _cancel_returned(self, action: Cancel) -> None:
        """Cancel again what has come back."""
        after = await self._client.fetch([one.target.message.id for one in self._watched])
        for one in list(self._watched):
            id_ = one.target.message.id
            if cancel_effect(one.target, after.get(id_)).result is not Result.NOT_APPLIED:
                continue
            await self._client.cancel(one.target)
            await self._clock.sleep(SETTLE_SECONDS)
            effect = cancel_effect(one.target, (await self._client.fetch([id_])).get(id_))
            if effect.result is Result.APPLIED:
                effect = Effect(Result.APPLIED, "a running attempt wrote it back; cancelled again")
            self._watched.remove(one)
            self._finish(one, self._explained(action, one, effect))

    async def _wait(self, seconds: float) -> None:
        """Wait for *seconds*, or until it is time to stop."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()
            await asyncio.gather(sleeping, stopping, return_exceptions=True)

    def _explained(self, action: Retry | Cancel, one: _Sent, effect: Effect) -> Effect:
        """Add the reason, as far as it is known."""
        if effect.result is Result.NOT_APPLIED and not one.certain:
            return Effect(Result.LOST, "the answer was lost, and nothing has changed so far")
        if effect.result is Result.NOT_APPLIED:
            if isinstance(action, Cancel) and one.target.addresses is None:
                return effect
            why = why_ignored(self._client.generation, retry=isinstance(action, Retry))
            return Effect(Result.NOT_APPLIED, f"{effect.detail}: {why}")
        if self._paused and effect.detail in (DUE_NOW, DUE_BEFORE):
            return Effect(effect.result, "it waits: the queue is paused")
        return effect

    def _finish(self, one: _Sent, effect: Effect) -> None:
        self._report(one.target, effect)
        self._journal.end(one.number, effect)
