"""Queue control of a stand-in whose time passes only while the control waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from exporter.simulator import ManualClock, Profile, StandIn, World
from exporter.simulator.world.ids import encode_id
from exporter.stalwart.http.credentials import Basic, Bearer
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.operator.calls import OPERATOR_CALLS
from exporter.stalwart.operator.client import OperatorClient, Target
from exporter.stalwart.operator.control import Cancel, Control, Retry
from exporter.stalwart.operator.effects import Effect, Result
from exporter.stalwart.operator.messages import QueuedMessage
from exporter.stalwart.operator.opening import open_operator
from exporter.stalwart.operator.selection import Selection
from exporter.stalwart.operator.switch import Switch

PERMISSIONS = frozenset(
    {
        *("authenticate", "message-queue-list", "message-queue-get", "message-queue-update", "message-queue-delete"),
        *("sysActionCreate", "actionPauseMtaQueue", "actionResumeMtaQueue"),
    }
)
"""Of an operator, by the names of both generations."""

SECRET = "lab-operator-secret"
NOON = 1_800_014_400.0


class WorldClock:
    """A `Clock` of the stand-in's time, which passes while something sleeps."""

    def __init__(self, server: StandIn) -> None:
        self._server = server

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def monotonic(self) -> float:
        return self._server.call(lambda world: world.now())

    async def sleep(self, seconds: float) -> None:
        await asyncio.to_thread(self._server.advance, seconds)


@dataclass
class Record:
    """A journal in memory: rows of action, message id, number of recipients, and the effect."""

    rows: list[list[Any]] = field(default_factory=list)

    def begin(self, action: str, message_id: str, recipients: int) -> int:
        self.rows.append([action, message_id, recipients, None])
        return len(self.rows) - 1

    def end(self, number: int, effect: Effect) -> None:
        self.rows[number][3] = effect.result


@dataclass
class Rig:
    """
    Queue control of one stand-in.

    Attributes:
        done: What was reported, in order.
    """

    server: StandIn
    client: OperatorClient
    clock: WorldClock
    record: Record = field(default_factory=Record)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    done: list[tuple[str, Effect]] = field(default_factory=list)
    on_report: Callable[[], None] = lambda: None

    async def queue(self) -> list[QueuedMessage]:
        """Everything in the queue, oldest first."""
        found = [message async for page in self.client.walk(max_messages=0) for message in page]
        return sorted(found, key=lambda message: message.created_at)

    async def change(self, action: Retry | Cancel, **conditions: Any) -> list[Result]:
        """Change what the conditions select; the results."""
        selection = Selection(**conditions)
        targets = [t for m in await self.queue() if (t := selection.target(m, self.clock.now())) is not None]
        await self.control().run(action, targets, selection)
        return [effect.result for _, effect in self.done]

    def control(self) -> Control:
        """The control under test."""

        def report(target: Target, effect: Effect) -> None:
            self.done.append((target.message.id, effect))
            self.on_report()

        return Control(self.client, clock=self.clock, journal=self.record, stopping=self.stopping, report=report)

    def switch(self) -> Switch:
        """The switch under test."""
        return Switch(self.client, clock=self.clock, journal=self.record)

    def statuses(self) -> dict[str, str]:
        """The recipients' statuses in the stand-in, by address; of a message that is gone there are none."""
        return self.server.call(
            lambda world: {r.address: r.status for m in world.queue.messages.values() for r in m.recipients}
        )

    def attempts(self) -> dict[str, int]:
        """The failed attempts in the stand-in, by address."""
        return self.server.call(
            lambda world: {r.address: r.retry_num for m in world.queue.messages.values() for r in m.recipients}
        )


def deferred(*messages: Sequence[str]) -> Callable[[World], None]:
    """Submits messages, whose first attempts are made."""

    def submit(world: World) -> None:
        for recipients in messages:
            world.submit(list(recipients))
            world.tick()
            world.advance(1)

    return submit


def add_operator(world: World, permissions: frozenset[str] = PERMISSIONS) -> None:
    """Creates the operator's key."""
    world.directory.add_key("operator", SECRET, permissions)


def login_of(server: StandIn) -> Basic | Bearer:
    """The operator's login in the server's generation."""
    jmap = server.call(lambda world: world.profile.jmap)
    return Bearer(server.api_key("operator")) if jmap else Basic("operator", SECRET)


def id_of(server: StandIn, number: int) -> str:
    """A message's id as the server's API spells it."""
    return encode_id(number) if server.call(lambda world: world.profile.jmap) else str(number)


def operate(
    scenario: Callable[[Rig], Coroutine[Any, Any, None]],
    version: str,
    *begin: Callable[[World], object],
    permissions: frozenset[str] = PERMISSIONS,
    **profile: Any,
) -> None:
    """Runs *scenario* on the control of a stand-in, after *begin*."""
    with StandIn(Profile(version=version, **profile), clock=ManualClock(NOON)) as server:
        server.call(lambda world: add_operator(world, permissions))
        for step in begin:
            server.call(step)
        asyncio.run(_operate(scenario, server))


async def _operate(scenario: Callable[[Rig], Coroutine[Any, Any, None]], server: StandIn) -> None:
    clock = WorldClock(server)
    transport = Transport(
        base_url=server.url,
        credentials=login_of(server),
        clock=clock,
        throttle=Throttle(clock=clock, requests=100_000),
        allowed=OPERATOR_CALLS,
    )
    try:
        await scenario(Rig(server, await open_operator(transport, clock=clock), clock))
    finally:
        await transport.aclose()
