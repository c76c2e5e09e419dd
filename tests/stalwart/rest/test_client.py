"""A server of v0.10-v0.15 over the wire: which requests each question costs, and what its answers become."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

import pytest

from exporter.errors import (
    PayloadError,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetUnsupported,
)
from exporter.model.server import Generation
from exporter.stalwart.rest.client import (
    MAX_OUTGOING_PAGES,
    OUTGOING_A_PAGE,
    RestClient,
)
from tests.support.paths import RECORDINGS
from tests.support.rigs.rest_client import AFTER, SERVERS, asked, recorded, refused
from tests.support.servers.raw import (
    FORBIDDEN,
    NATIVE_LOGIN,
    NATIVE_NAME,
    NATIVE_SECRET,
    NOT_FOUND,
    UNAUTHORIZED,
    Asked,
    Handler,
    always,
    reply,
    run,
    talking,
)
from tests.support.virtual_time import HandClock


def test_generation_is_rest() -> None:
    """As the client says of itself."""
    assert RestClient.generation is Generation.REST


@pytest.mark.parametrize(("answer", "running"), [(True, True), (False, False)])
def test_queue_status_is_the_state_of_the_queue(answer: bool, running: bool) -> None:
    """One boolean, from one request."""
    result, server = asked(always(reply(200, {"data": answer})), lambda client: client.fetch_queue_running())

    assert result is running
    assert [request.target for request in server.asked] == ["/api/queue/status"]


def test_queue_status_of_v0_10_is_unknown() -> None:
    """There the path does not exist."""
    assert asked(always(NOT_FOUND), lambda client: client.fetch_queue_running())[0] is None


@pytest.mark.parametrize("data", ["true", None, {"running": True}])
def test_queue_status_that_is_no_boolean_is_refused(data: object) -> None:
    """A value of another type is not read as true."""
    error = refused(always(reply(200, {"data": data})), lambda client: client.fetch_queue_running())

    assert isinstance(error, PayloadError)
    assert str(error).startswith("data: ")


@pytest.mark.parametrize("server", SERVERS)
def test_recorded_outgoing_reports_give_their_facts(server: str) -> None:
    """One DMARC and one TLS report wait on both recorded servers."""
    facts = json.loads((RECORDINGS / server / "facts.json").read_text())
    expected = {f["labels"]["kind"]: f["value"] for f in facts if f["name"] == "stalwart_outgoing_reports"}

    result, _ = asked(recorded(server), lambda client: client.fetch_outgoing_reports())

    assert result.waiting == expected


def reports(ids: Sequence[str]) -> Handler:
    """Pages through outgoing reports."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        limit, page = int(asked.query["limit"]), int(asked.query["page"])
        items = ids[(page - 1) * limit : page * limit]
        writer.write(reply(200, {"data": {"items": items, "total": len(ids)}}))

    return handle


def test_outgoing_reports_are_told_apart_by_the_first_letter() -> None:
    """What is neither is unknown; a kind that nobody waits for is 0."""
    result, _ = asked(reports(["d!a!1!2!3", "x!b!1!2!3", "", "d!c!1!2!3"]), lambda c: c.fetch_outgoing_reports())

    assert result.waiting == {"dmarc": 2, "tls": 0, "unknown": 2}


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (999, 1), (1000, 2), (2500, 3)])
def test_outgoing_reports_are_read_to_the_last_page(count: int, requests: int) -> None:
    """A thousand at a time, until a page is short."""
    result, server = asked(reports([f"t!{n}!1!2!3" for n in range(count)]), lambda c: c.fetch_outgoing_reports())

    assert result.waiting == {"dmarc": 0, "tls": count}
    assert len(server.asked) == requests


def test_outgoing_reports_end_at_a_bound() -> None:
    """A server that never ends is left after so many pages."""
    numbers = iter(range(10**9))

    async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
        items = [f"d!{next(numbers)}" for _ in range(OUTGOING_A_PAGE)]
        writer.write(reply(200, {"data": {"items": items, "total": 1}}))

    result, server = asked(endless, lambda client: client.fetch_outgoing_reports())

    assert len(server.asked) == MAX_OUTGOING_PAGES
    assert result.waiting["dmarc"] == MAX_OUTGOING_PAGES * OUTGOING_A_PAGE


def test_outgoing_reports_that_do_not_go_forward_are_refused() -> None:
    """A proxy that drops `page` would have us count the first page again and again."""
    items = [f"d!{number}" for number in range(OUTGOING_A_PAGE)]

    error = refused(always(reply(200, {"data": {"items": items}})), lambda c: c.fetch_outgoing_reports())

    assert isinstance(error, PayloadError)


@pytest.mark.parametrize("server", SERVERS)
def test_native_page_is_asked_for_with_its_own_login(server: str) -> None:
    """Not with the API's."""
    page = (RECORDINGS / server / "native.txt").read_bytes()
    answer = reply(200, page, content_type="text/plain; version=0.0.4")

    totals, wire = asked(always(answer), lambda c: c.fetch_native_totals(), native_credentials=NATIVE_LOGIN)

    assert totals.counters["queue.authenticated-message-queued"] > 0
    assert [(request.path, request.login) for request in wire.asked] == [
        ("/metrics/prometheus", (NATIVE_NAME, NATIVE_SECRET))
    ]


def test_native_page_without_a_login_is_asked_for_without_one() -> None:
    """A page that is not protected needs none, and gets no other one."""
    answer = reply(200, b"# TYPE smtp_ehlo counter\nsmtp_ehlo 3\n", content_type="text/plain")

    _, wire = asked(always(answer), lambda client: client.fetch_native_totals())

    assert "authorization" not in wire.asked[0].headers


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [(NOT_FOUND, TargetUnsupported, "not_configured"), (UNAUTHORIZED, TargetRefused, None)],
)
def test_native_page_may_be_off_or_closed(answer: bytes, kind: type[TargetError], status: str | None) -> None:
    """Both are told apart."""
    error = refused(always(answer), lambda c: c.fetch_native_totals(), native_credentials=NATIVE_LOGIN)

    assert isinstance(error, kind)
    assert getattr(error, "status", None) == status


JOBS: dict[str, Callable[[RestClient], Awaitable[object]]] = {
    "queue": lambda client: client.fetch_queue(max_messages=0),
    "queue status": lambda client: client.fetch_queue_running(),
    "outgoing reports": lambda client: client.fetch_outgoing_reports(),
    "stored metrics": lambda client: client.fetch_stored_metrics(after=AFTER),
    "log": lambda client: client.fetch_newest_log_lines(limit=5),
    "trace ids": lambda client: client.fetch_trace_ids(after=AFTER),
    "traces": lambda client: client.fetch_traces([1, 2]),
}
PERMISSIONS = {
    "queue": "message-queue-list",
    "queue status": "message-queue-get",
    "outgoing reports": "outgoing-report-list",
    "stored metrics": "metrics-list",
    "log": "logs-view",
    "trace ids": "tracing-list",
    "traces": "tracing-get",
}


@pytest.mark.parametrize("job", JOBS)
def test_missing_permission_is_named(job: str) -> None:
    """The server does not tell which, so we do."""
    error = refused(always(FORBIDDEN), JOBS[job])

    assert isinstance(error, TargetForbidden)
    assert PERMISSIONS[job] in str(error)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize(
    "answer",
    [
        reply(200, {"data": 7}),
        reply(200, {"data": {"items": 7}}),
        reply(200, {"data": {"items": [{"x": 1}]}}),
        reply(200, {"data": ["x", None]}),
        reply(200, b'{"data": {"items": ["\xff"]}}'),
    ],
)
def test_answer_of_another_shape_is_a_payload_error(job: str, answer: bytes) -> None:
    """Nothing else, and never a number made of it."""
    assert isinstance(refused(always(answer), JOBS[job]), PayloadError)


def test_large_answer_is_read_all_the_same() -> None:
    """One above the size from which reading leaves the event loop."""
    sample = {"type": "gauge", "id": "queue.count", "timestamp": "2026-01-15T11:00:00Z", "value": 17}

    samples, _ = asked(always(reply(200, {"data": [sample] * 5000})), lambda c: c.fetch_stored_metrics(after=AFTER))

    assert len(samples) == 5000


def test_closing_the_client_closes_its_connection() -> None:
    """Nothing is left open."""

    async def work() -> None:
        ended = asyncio.Event()

        async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(200, {"data": True}))
            asyncio.ensure_future(writer.wait_closed()).add_done_callback(lambda _: ended.set())

        async with talking(handle) as (transport, _):
            client = RestClient(transport, clock=HandClock())
            await client.fetch_queue_running()
            await client.aclose()
            await asyncio.wait_for(ended.wait(), 10)

    run(work())
