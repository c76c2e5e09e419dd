"""The stand-in in a thread of its own, for tests and programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from exporter.simulator.harness.faults import FaultBox
from exporter.simulator.harness.front import RequestRecord
from exporter.simulator.harness.simulator import Simulator
from exporter.simulator.world.accounts.api_keys import api_key
from exporter.simulator.world.clock import Clock
from exporter.simulator.world.profile import Profile
from exporter.simulator.world.world import World

T = TypeVar("T")

DEADLINE_SECONDS = 120.0


class StandIn:
    """
    A Stalwart that is not one, listening on a free port while the `with` block lasts.

    Leaving the block raises the stand-in's own errors, if it had any.

    Attributes:
        simulator: The running stand-in; touch it only through `call` and `run`.
    """

    def __init__(
        self,
        profile: Profile | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 7,
        speed: float = 1.0,
        ticking: bool = False,
        with_control: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._settings: dict[str, Any] = {
            "clock": clock,
            "seed": seed,
            "speed": speed,
            "ticking": ticking,
            "with_control": with_control,
            "host": host,
            "port": port,
        }
        self._profile = profile
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stand-in", daemon=True)
        self.simulator: Simulator

    def __enter__(self) -> StandIn:
        self._thread.start()
        try:
            self.run(self._open())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.simulator.__aexit__(None, None, None))
        finally:
            self._stop()
        if error is None and self.simulator.front.errors:
            raise RuntimeError("the stand-in itself failed") from self.simulator.front.errors[0]

    async def _open(self) -> None:
        self.simulator = Simulator(self._profile, **self._settings)
        await self.simulator.__aenter__()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_SECONDS)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the stand-in's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_SECONDS)

    def call(self, work: Callable[[World], T]) -> T:
        """Let a function see or change the world, undisturbed by requests."""

        async def inside() -> T:
            return work(self.simulator.world)

        return self.run(inside())

    def advance(self, seconds: float) -> None:
        """Let time pass in the world."""
        self.call(lambda world: world.advance(seconds))

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self.simulator.url

    @property
    def control_url(self) -> str:
        """Where the control port listens; raises LookupError if there is none."""
        if self.simulator.control is None:
            raise LookupError("no control port was asked for")
        return self.simulator.control.url

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request so far, in order of arrival."""
        return self.call(lambda _: list(self.simulator.front.requests))

    @property
    def harm_done(self) -> list[RequestRecord]:
        """Requests that changed what no monitor may touch."""
        return [request for request in self.requests if request.harmful]

    @property
    def faults(self) -> FaultBox:
        """Faults to arm; safe to use from outside."""
        return self.simulator.front.faults

    def hang(self) -> None:
        """Read requests, answer none."""
        self.call(lambda _: self.simulator.hang())

    def resume(self) -> None:
        """Answer what is waiting, and go on."""
        self.call(lambda _: self.simulator.resume())

    def restart(self) -> None:
        """Restart the server process: connections drop, counters begin anew."""
        self.run(self.simulator.restart())

    def upgrade(self, version: str | None = None, **changes: Any) -> None:
        """Restart the server process as another release, edition or configuration; keywords as for the profile."""
        self.run(self.simulator.upgrade(version, **changes))

    def api_key(self, name: str = "watcher") -> str:
        """The token of an API key in the JMAP generation, as it goes after `Bearer`."""
        return self.call(lambda world: api_key(world.directory.accounts[name]))

    def stop_listening(self) -> None:
        """Close the port; clients are dropped and new ones refused."""
        self.run(self.simulator.listener.close())

    def start_listening(self) -> None:
        """Open the same port again."""
        self.run(self.simulator.listener.open())
