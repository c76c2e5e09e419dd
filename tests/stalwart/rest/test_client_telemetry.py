"""Stored metrics, logs and traces of a server of v0.10-v0.15: which requests they cost."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from exporter.errors import (
    TargetUnsupported,
)
from exporter.stalwart.rest.client import (
    MAX_TRACE_ID_PAGES,
    TRACE_IDS_A_PAGE,
    RestClient,
)
from tests.support.rigs.rest_client import AFTER, SERVERS, asked, recorded, refused, traces
from tests.support.servers.raw import (
    Asked,
    always,
    reply,
)


@pytest.mark.parametrize(
    "after", [AFTER, AFTER.astimezone(timezone(timedelta(hours=-8)))], ids=["utc", "another time zone"]
)
def test_stored_metrics_are_asked_for_from_a_moment_on(after: datetime) -> None:
    """In UTC and whole seconds, so that nothing of the second is missed."""
    sample = {"type": "counter", "id": "smtp.connection-start", "timestamp": "2026-01-15T11:00:00Z", "value": 412}

    samples, wire = asked(always(reply(200, {"data": [sample]})), lambda c: c.fetch_stored_metrics(after=after))

    assert [(found.id, found.value) for found in samples] == [("smtp.connection-start", 412)]
    assert wire.asked[0].query == {"after": "2026-01-15T10:30:00Z"}


@pytest.mark.parametrize("server", SERVERS)
def test_recorded_open_source_server_has_no_telemetry(server: str) -> None:
    """Stored metrics and traces are 404 there: a fact, not a failure."""
    for job in (
        lambda client: client.fetch_stored_metrics(after=AFTER),
        lambda client: client.fetch_trace_ids(after=AFTER),
    ):
        error = refused(recorded(server), job)

        assert isinstance(error, TargetUnsupported)
        assert error.status == "unsupported"


@pytest.mark.parametrize("server", SERVERS)
def test_recorded_log_is_read_newest_first(server: str) -> None:
    """One request for as many lines as were wanted."""
    lines, wire = asked(recorded(server), lambda client: client.fetch_newest_log_lines(limit=100))

    assert len(lines) == 100
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
    assert [request.target for request in wire.asked] == ["/api/logs?limit=100"]


@pytest.mark.parametrize("limit", [0, -1])
def test_whole_log_is_never_asked_for(limit: int) -> None:
    """A limit of 0 would be all files of all days."""

    async def ask(client: RestClient) -> None:
        with pytest.raises(ValueError, match="whole log"):
            await client.fetch_newest_log_lines(limit=limit)

    assert asked(always(b""), ask)[1].asked == []


FIRST_TRACE = 285_617_432_821_780_557


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (499, 1), (500, 2), (1200, 3)])
def test_trace_ids_are_read_to_the_last_page(count: int, requests: int) -> None:
    """Only delivery attempts, from the moment on, five hundred at a time."""
    ids = [FIRST_TRACE - number for number in range(count)]

    found, wire = asked(traces(ids), lambda client: client.fetch_trace_ids(after=AFTER))

    assert list(found) == ids
    assert len(wire.asked) == requests
    assert wire.asked[0].query == {
        "type": "delivery.attempt-start",
        "limit": str(TRACE_IDS_A_PAGE),
        "page": "1",
        "after": "2026-01-15T10:30:00Z",
    }


def test_trace_ids_that_shift_between_pages_come_once() -> None:
    """A span that is stored meanwhile pushes the last id of a page to the next."""
    ids = [FIRST_TRACE - number for number in range(900)]
    plain = traces(ids)

    async def growing(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await plain(asked, writer)
        ids.insert(0, ids[0] + 1)

    found, _ = asked(growing, lambda client: client.fetch_trace_ids(after=AFTER))

    assert len(found) == len(set(found)) == 900


@pytest.mark.parametrize("same", [True, False])
def test_trace_ids_end_at_a_bound(same: bool) -> None:
    """A server that ignores `page`, or has no end, does not keep us."""
    newest = FIRST_TRACE

    async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal newest
        newest -= 0 if same else TRACE_IDS_A_PAGE
        items = [newest - number for number in range(TRACE_IDS_A_PAGE)]
        writer.write(reply(200, {"data": {"items": items, "total": 1}}))

    _, wire = asked(endless, lambda client: client.fetch_trace_ids(after=AFTER))

    assert len(wire.asked) == (2 if same else MAX_TRACE_ID_PAGES)


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (2, 1), (50, 1), (51, 2), (120, 3)])
def test_traces_are_read_some_dozens_at_a_time(count: int, requests: int) -> None:
    """A single one, which the server answers flat, included."""
    ids = [FIRST_TRACE - number for number in range(count)]

    found, wire = asked(traces(ids), lambda client: client.fetch_traces(ids))

    assert [trace.id for trace in found] == ids
    assert len(wire.asked) == requests


def test_traces_that_are_gone_are_left_out() -> None:
    """The server answers them with empty lists."""
    ids = [FIRST_TRACE, FIRST_TRACE - 1, FIRST_TRACE - 2]

    found, _ = asked(traces([FIRST_TRACE, FIRST_TRACE - 2]), lambda client: client.fetch_traces(ids))

    assert [trace.id for trace in found] == [FIRST_TRACE, FIRST_TRACE - 2]
