"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.simulator import StandIn
from tests.support.standin import enterprise


@pytest.fixture(params=[False, True], ids=["sse-server", "websocket-server"])
def server(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in of either kind."""
    with StandIn(enterprise(live_websocket=request.param)) as running:
        yield running
