"""The simulated server in an event loop: world, listener, control port and the task that advances time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, NoReturn

from exporter.simulator.harness.control import Control
from exporter.simulator.harness.front import Front
from exporter.simulator.harness.listener import Listener
from exporter.simulator.harness.poster import Poster
from exporter.simulator.harness.script import Script, full_day
from exporter.simulator.world.clock import Clock
from exporter.simulator.world.profile import Profile
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.telemetry.webhooks import SHUTDOWN
from exporter.simulator.world.world import World

TICK_SECONDS = 0.2


class _Doorkeeper:
    """Reports connections to the world, and rejects banned addresses."""

    def __init__(self, world: World) -> None:
        self._world = world

    def opened(self, ip: str, port: int, local_port: int) -> Span | None:
        if self._world.gate.is_banned(ip):
            self._world.raise_event("security.ip-blocked")
            return None
        return self._world.http.connected(ip, port, local_port)

    def closed(self, span: Span, seconds: float) -> None:
        self._world.http.disconnected(span, seconds)


class Simulator:
    """
    A running simulated server; use it as an async context manager.

    Use its attributes only from its event loop.

    Attributes:
        front: Requests received, faults, and whether the server hangs.
        poster: Sends the webhooks.
        control: The control port, if requested.
    """

    def __init__(
        self,
        profile: Profile | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        with_control: bool = False,
        control_port: int = 0,
        clock: Clock | None = None,
        seed: int = 7,
        speed: float = 1.0,
        ticking: bool = False,
        script: Script | None = None,
    ) -> None:
        self.world = World(profile, clock=clock, seed=seed, speed=speed)
        self.front = Front(self.world)
        self.listener = Listener(self.front, host, port, _Doorkeeper(self.world))
        self.front.on_ban = self.listener.drop
        self.poster = Poster(self.world.webhooks, keeps_alive=lambda: self.world.profile.jmap)
        self.control = Listener(Control(self), "127.0.0.1", control_port) if with_control else None
        self._ticking = ticking
        self._script = script
        self._ticker: asyncio.Task[NoReturn] | None = None
        self._opened = AsyncExitStack()

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self.listener.url

    async def __aenter__(self) -> Simulator:
        async with AsyncExitStack() as stack:
            for listener in (self.listener, self.control):
                if listener is not None:
                    await listener.open()
                    stack.push_async_callback(listener.close, keep_port=False)
            self._opened = stack.pop_all()
        if self._script is not None:
            self._script.begin(self.world)
        if self._ticking:
            self._ticker = asyncio.create_task(self._tick(), name="stand-in ticker")
        self.poster.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        await self.poster.stop()
        await self._opened.aclose()

    async def _tick(self) -> NoReturn:
        while True:
            try:
                self.world.tick()
            except Exception as error:  # noqa: BLE001 -- kept, and raised when the simulator is closed
                self.front.errors.append(error)
            await asyncio.sleep(TICK_SECONDS)

    def hang(self) -> None:
        """Read requests, but do not answer them."""
        self.front.running.clear()

    def resume(self) -> None:
        """Answer the waiting requests, and continue."""
        self.front.running.set()

    async def restart(self) -> None:
        """Restart the server process: connections drop, and the port opens again."""
        await self._end_process()
        self.world.restart()
        await self._begin_process()

    async def shut_down(self) -> None:
        """Restart the process after an orderly end: what has just happened is posted, but not what failed before."""
        self.world.raise_event(SHUTDOWN, {"causedBy": "SIGTERM"})
        await self.poster.flush()
        await self.restart()

    async def _end_process(self) -> None:
        await self.poster.stop()
        await self.listener.close()

    async def _begin_process(self) -> None:
        await self.listener.open()
        self.poster.begin()

    def add_webhook(self, name: str, **settings: Any) -> None:
        """Add a webhook, with keywords of `Webhook`, and begin to post; another of the same id is not changed."""
        self.world.webhooks.add(name, **settings)
        self.poster.begin()

    async def upgrade(self, version: str | None = None, **changes: Any) -> None:
        """Restart the server process as another release, edition or configuration, with keywords of the profile."""
        await self._end_process()
        self.world.upgrade(version, **changes)
        await self._begin_process()


@asynccontextmanager
async def simulating(
    profile: Profile | None = None, *, speed: float = 1.0, seed: int = 7, scripted: bool = True, port: int = 0
) -> AsyncIterator[Simulator]:
    """Run a simulated server in the current event loop; its time passes by itself, with the scripted day if wanted."""
    script = full_day() if scripted else None
    async with Simulator(profile, port=port, speed=speed, seed=seed, ticking=True, script=script) as simulator:
        yield simulator


async def serve(simulator: Simulator, ready: Callable[[Simulator], None] | None = None) -> None:
    """Run a simulated server until cancelled; `ready` is called once it listens."""
    async with simulator:
        if ready is not None:
            ready(simulator)
        await asyncio.Event().wait()
