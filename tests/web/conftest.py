"""What the tests of the web layer share."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from tests.support.listener.app import Run


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on each of the event loops; afterwards nothing may be left unclosed."""
    factory: Callable[[], asyncio.AbstractEventLoop] = (
        uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    )
    with asyncio.Runner(debug=True, loop_factory=factory) as runner:

        async def within(awaitable: Awaitable[object]) -> None:
            await awaitable

        yield lambda awaitable: runner.run(within(awaitable))
    gc.collect()


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a web configuration file and gives its path."""

    def write(content: str) -> Path:
        path = tmp_path / "web.yml"
        path.write_text(content)
        return path

    return write
