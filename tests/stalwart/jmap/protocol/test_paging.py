"""Lists page by page, from a server that does not find its own rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from exporter.errors import TargetServerError
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.directory.accounts import PAGES_A_REQUEST
from tests.support.replays.jmap import JmapServer, MethodError
from tests.support.replays.jmap_client import asked, methods_of


@pytest.mark.parametrize(
    ("kind", "walk"),
    [
        ("Account", lambda client: client.fetch_accounts()),
        ("Domain", lambda client: client.fetch_domains()),
        ("QueuedMessage", lambda client: client.fetch_queue(max_messages=10)),
    ],
    ids=["accounts", "domains", "queue"],
)
def test_a_server_that_finds_no_row_even_by_position_is_not_asked_for_ever(
    kind: str, walk: Callable[[JmapClient], Awaitable[object]]
) -> None:
    """The walk ends with a failure instead of asking for ever."""
    server = JmapServer.recorded()
    server.error[f"x:{kind}/query"] = MethodError("anchorNotFound", "no such row")

    with pytest.raises(TargetServerError):
        asked(server, walk)

    assert 2 <= len([name for name, _ in methods_of(server, kind) if name == "query"]) <= 2 * PAGES_A_REQUEST
