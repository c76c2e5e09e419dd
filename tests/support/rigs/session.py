"""A session with a server that answers as told, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from exporter.errors import (
    TargetError,
    TargetUnreachable,
)
from exporter.ingest.loops.session import Session
from exporter.model.server import Edition, Generation, ServerIdentity
from exporter.stalwart.client import StalwartClient
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from tests.support.virtual_time import VirtualClock, run_virtually

T = TypeVar("T")
REST = ServerIdentity(generation=Generation.REST, edition=Edition.ENTERPRISE, version="0.15.5")
AWAY = TargetUnreachable("no connection")
CLIENT = cast(StalwartClient, object())


@dataclass
class ScriptedDetector:
    """
    Finds one thing after another; the last one is repeated.

    Attributes:
        asked: When each detection began, in seconds of the loop.
        takes_seconds: How long one takes.
    """

    findings: Sequence[ServerIdentity | TargetError]
    takes_seconds: float = 0.0
    asked: list[float] = field(default_factory=list)

    async def detect(self) -> ServerIdentity:
        self.asked.append(now())
        await asyncio.sleep(self.takes_seconds)
        finding = self.findings[min(len(self.asked), len(self.findings)) - 1]
        if isinstance(finding, TargetError):
            raise finding.with_traceback(None)
        return finding


class Rig:
    """A session that runs on what *findings* say."""

    def __init__(self, *findings: ServerIdentity | TargetError, takes_seconds: float = 0.0) -> None:
        clock = VirtualClock()
        self.detector = ScriptedDetector(findings, takes_seconds)
        self.board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        self.session = Session(
            detector=self.detector,
            client=CLIENT,
            board=self.board,
            clock=clock,
            rng=random.Random(1),  # noqa: S311 - jitter
        )

    async def outcome(self) -> StalwartClient | TargetError:
        """What whoever asks for the client gets."""
        try:
            return await self.session.client()
        except TargetError as error:
            return error

    async def waited(self, seconds: float, event: Callable[[], Awaitable[None]] | None = None) -> float:
        """How long a wait for news of at most *seconds* takes if *event* happens after ten seconds."""
        began = now()
        waiting = asyncio.create_task(self.session.wait_for_news(seconds))
        if event is not None:
            await asyncio.sleep(10)
            await event()
        await waiting
        return now() - began


def now() -> float:
    return asyncio.get_running_loop().time()


def running(rig: Rig, scenario: Callable[[Rig], Coroutine[Any, Any, T]]) -> T:
    """The result of *scenario* while the session runs."""

    async def run() -> T:
        task = asyncio.create_task(rig.session.run())
        try:
            return await scenario(rig)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return run_virtually(run())
