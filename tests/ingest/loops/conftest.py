"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.simulator import StandIn
from tests.support.standin import enterprise


@pytest.fixture(params=[False, True], ids=["sse", "websocket"])
def server(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in that streams fifty times as fast as a real one."""
    with StandIn(enterprise(live_websocket=request.param)) as running:
        hurry(running)
        yield running


def hurry(server: StandIn) -> None:
    """Messages and pings follow each other fifty times as fast."""
    server.call(lambda _: setattr(server.simulator.front.api.live, "pace", 50.0))
