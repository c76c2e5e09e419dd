"""The simulated server in its own thread, for tests and programs without an event loop."""

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
    A simulated Stalwart server that listens on a free port inside the `with` block.

    Leaving the block raises the simulator's own errors, if any.

    Attributes:
        simulator: The running simulator; use it only through `call` and `run`.
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
        """Run a coroutine in the simulator's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_SECONDS)

    def call(self, work: Callable[[World], T]) -> T:
        """Call *work* with the world, while no request is handled."""

        async def inside() -> T:
            return work(self.simulator.world)

        return self.run(inside())

    def advance(self, seconds: float) -> None:
        """Advance the world's time."""
        self.call(lambda world: world.advance(seconds))

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self.simulator.url

    @property
    def control_url(self) -> str:
        """The URL of the control port; raises LookupError if there is none."""
        if self.simulator.control is None:
            raise LookupError("no control port was asked for")
        return self.simulator.control.url

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request so far, in order of arrival."""
        return self.call(lambda _: list(self.simulator.front.requests))

    @property
    def harm_done(self) -> list[RequestRecord]:
        """Requests that changed what no monitor may change."""
        return [request for request in self.requests if request.harmful]

    @property
    def faults(self) -> FaultBox:
        """The faults; safe to use from other threads."""
        return self.simulator.front.faults

    def hang(self) -> None:
        """Read requests, but do not answer them."""
        self.call(lambda _: self.simulator.hang())

    def resume(self) -> None:
        """Answer the waiting requests, and continue."""
        self.call(lambda _: self.simulator.resume())

    def restart(self) -> None:
        """Restart the server process: connections drop, and counters start at zero."""
        self.run(self.simulator.restart())

    def add_webhook(self, url: str, name: str = "exporter", **settings: Any) -> None:
        """Post events to *url* from now on, with keywords of `Webhook`."""

        async def add() -> None:
            self.simulator.add_webhook(name, url=url, **settings)

        self.run(add())

    def shut_down(self) -> None:
        """Restart the server process after an orderly end."""
        self.run(self.simulator.shut_down())

    def lose_answers(self, times: int, name: str = "exporter", *, hang_up: bool = False) -> None:
        """Let the next *times* posts fail at the server although the receiver takes them."""
        poster = self.simulator.poster
        counts = poster.hung_up if hang_up else poster.lost_answers
        self.call(lambda _: counts.__setitem__(name, times))

    def webhook_state(self, name: str = "exporter") -> dict[str, Any]:
        """Return the counts of a webhook."""
        state: dict[str, Any] = self.call(lambda world: world.webhooks.to_json()[name])
        return state

    def upgrade(self, version: str | None = None, **changes: Any) -> None:
        """Restart the server process as another release, edition or configuration, with keywords of the profile."""
        self.run(self.simulator.upgrade(version, **changes))

    def api_key(self, name: str = "watcher") -> str:
        """Return the token of an API key in the JMAP generation, as sent after `Bearer`."""
        return self.call(lambda world: api_key(world.directory.accounts[name]))

    def stop_listening(self) -> None:
        """Close the port; clients are dropped and new ones refused."""
        self.run(self.simulator.listener.close())

    def start_listening(self) -> None:
        """Open the same port again."""
        self.run(self.simulator.listener.open())
