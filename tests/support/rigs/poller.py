"""A poller with a scripted job in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from exporter.app.servers.supervise import Supervisor
from exporter.ingest.loops.poller import Poller
from exporter.ingest.loops.session import Session
from exporter.model.server import Capability, Edition, Generation, ServerIdentity
from exporter.stalwart.client import Detector, StalwartClient
from exporter.state.board import ServerBoard
from exporter.state.health import CollectorHealth
from exporter.state.tally import TallyBook
from tests.support.virtual_time import VirtualClock, run_virtually

INTERVAL_SECONDS = 30.0
IDENTITY = ServerIdentity(generation=Generation.REST, edition=Edition.ENTERPRISE, version="0.15.5")
Outcome = Exception | None


class KnownServer:
    """A server that is found at once."""

    async def detect(self) -> ServerIdentity:
        return IDENTITY


@dataclass
class ScriptedJob:
    """
    A job that ends in one way after another; the last one is repeated.

    Attributes:
        began: When each run began.
        takes_seconds: How long a run takes.
    """

    outcomes: Sequence[Outcome]
    takes_seconds: float = 0.0
    began: list[float] = field(default_factory=list)

    async def __call__(self, _: StalwartClient) -> None:
        self.began.append(now())
        await asyncio.sleep(self.takes_seconds)
        outcome = self.outcomes[min(len(self.began), len(self.outcomes)) - 1]
        if outcome is not None:
            raise outcome.with_traceback(None)


class Watch:
    """A session and the pollers of one server, as they run in the exporter."""

    def __init__(self, detector: Detector | None = None) -> None:
        self.clock = VirtualClock()
        self.board = ServerBoard("mx1", TallyBook(), monotonic=self.clock.monotonic)
        self.session = Session(
            detector=detector or KnownServer(),
            client=cast(StalwartClient, object()),
            board=self.board,
            clock=self.clock,
            rng=random.Random(1),  # noqa: S311 - jitter
        )

    def poller(
        self, job: Any, *, name: str = "queue", interval_seconds: float = INTERVAL_SECONDS, **settings: Any
    ) -> Poller:
        return Poller(
            name=name,
            job=job,
            session=self.session,
            interval_seconds=interval_seconds,
            first_delay_seconds=0.0,
            clock=self.clock,
            rng=random.Random(1),  # noqa: S311 - jitter
            capability=Capability.QUEUE,
            **settings,
        )

    async def run(self, seconds: float, *pollers: Poller, then: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let *seconds* pass, do what comes *then*, and let as many pass again if there is something."""
        supervisor = Supervisor(clock=self.clock, rng=random.Random(1))  # noqa: S311 - jitter
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.session.run())]
            for one in pollers:
                ended = partial(self.board.count_crash, one.name)
                tasks.append(group.create_task(supervisor.keep_running(one.run, task=one.name, ended=ended)))
            await asyncio.sleep(seconds)
            if then is not None:
                await then()
                await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()


def now() -> float:
    return asyncio.get_running_loop().time()


def watched(job: ScriptedJob, seconds: float, **settings: Any) -> tuple[CollectorHealth, ServerBoard]:
    """How a collector stands after so many seconds."""

    async def scenario() -> tuple[CollectorHealth, ServerBoard]:
        watch = Watch()
        poller = watch.poller(job, **settings)
        await watch.run(seconds, poller)
        return poller.health, watch.board

    return run_virtually(scenario())
