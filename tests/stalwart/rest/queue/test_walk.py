"""The queue over the wire: by cursor, in pages that fit, to the end or to the cap."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter.errors import PayloadError, PayloadTooLarge, TargetTimeout, TargetUnreachable
from exporter.model.queue import QueueSnapshot, RecipientStatus
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.queue.fold import QueueFold
from exporter.stalwart.rest.queue.walk import LARGEST_PAGE, TARGET_BYTES, PageSize, feed_page, walk_queue
from tests.support.builders.queue_reference import page_of, snapshot_of
from tests.support.builders.rest_queue import message, recipient
from tests.support.servers.raw import Asked, Handler, RawServer, reply, run, talking
from tests.support.virtual_time import HandClock

FIRST_ID = 342_002_166_178_778_311


def queue_of(count: int, *, recipients: int = 1) -> list[dict[str, Any]]:
    """A queue with ids above 2**53."""
    rows = [
        recipient(f"u{number}@x{number % 5}.test", {"temp_fail": "Error for x: Rate limited"})
        for number in range(recipients)
    ]
    return [{**message(*rows), "id": FIRST_ID + 7 * number} for number in range(count)]


def listing(queue: list[dict[str, Any]], **told: Any) -> Handler:
    """Answers as the contract describes; unknown parameters are ignored."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        query = asked.query
        assert asked.path == "/api/queue/messages"
        assert "page" not in query
        first, most, limit = (int(query.get(name, 0)) for name in ("range-start", "max-total", "limit"))
        found = [item for item in queue if item["id"] >= first]
        found = found[:most] if most else found
        items: list[Any] = found[:limit] if limit else found
        items = items if query.get("values") else [item["id"] for item in items]
        writer.write(reply(200, {"data": {"items": items, "total": len(found), "status": True, **told}}))

    return handle


async def walked(
    handler: Handler, *, max_messages: int = 0, polls: int = 1, page: int = 1000, **settings: Any
) -> tuple[list[QueueSnapshot], RawServer]:
    async with talking(handler, clock=HandClock(), **settings) as (transport, server):
        size = page_size(page)
        return [await walk(transport, size, max_messages) for _ in range(polls)], server


def page_size(messages: int) -> PageSize:
    size = PageSize()
    size.messages = messages
    return size


async def walk(transport: Transport, size: PageSize, max_messages: int = 0) -> QueueSnapshot:
    return await walk_queue(transport, taken_at=HandClock().now(), size=size, max_messages=max_messages)


def queries(server: RawServer) -> list[dict[str, str]]:
    return [asked.query for asked in server.asked]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25, 30])
def test_walk_in_pages_sums_the_whole_queue(count: int) -> None:
    """Whether the last page is full or not, and each message once."""
    queue = queue_of(count)

    (snapshot,), server = run(walked(listing(queue), page=10))

    assert snapshot == snapshot_of(queue, HandClock().now())
    assert len(server.asked) == (1 if count < 10 else 2)


def test_each_page_begins_after_the_last_id_and_bounds_the_scan() -> None:
    """The first page has no cursor; `max-total` always equals `limit`."""
    queue = queue_of(2500)

    _, server = run(walked(listing(queue)))

    first, second, *_ = queries(server)
    assert first == {"values": "1", "limit": "1000", "max-total": "1000"}
    assert second["range-start"] == str(queue[999]["id"] + 1)
    assert all(query["limit"] == query["max-total"] for query in queries(server))


def test_message_that_leaves_between_two_pages_shifts_nothing() -> None:
    """The cursor is an id, not a position."""
    queue = queue_of(30)
    plain = listing(queue)

    async def leaving(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await plain(asked, writer)
        del queue[0]

    (snapshot,), _ = run(walked(leaving, page=10))

    assert snapshot.messages == 30


@pytest.mark.parametrize(
    ("count", "cap", "messages", "truncated"),
    [
        (30, 0, 30, False),
        (30, 31, 30, False),
        (30, 30, 30, False),
        (31, 30, 30, True),
        (30, 7, 7, True),
        (30, 10, 10, True),
    ],
)
def test_walk_stops_exactly_at_the_cap(count: int, cap: int, messages: int, truncated: bool) -> None:
    """And says so only if there is more."""
    (snapshot,), server = run(walked(listing(queue_of(count)), max_messages=cap, page=10))

    assert (snapshot.messages, snapshot.truncated) == (messages, truncated)
    assert not cap or sum(int(query["limit"]) for query in queries(server) if "values" in query) <= cap


def test_server_that_ignores_the_limit_is_cut_at_the_cap() -> None:
    """What came too much is not counted."""
    queue = queue_of(50)

    async def everything(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, {"data": {"items": queue, "total": 50}}))

    (snapshot,), server = run(walked(everything, max_messages=20))

    assert (snapshot.messages, snapshot.truncated, len(server.asked)) == (20, True, 1)


def test_cursor_that_is_dropped_on_the_way_ends_the_walk() -> None:
    """A proxy that eats `range-start` would send us in circles."""
    queue = queue_of(30)

    async def from_the_start(asked: Asked, writer: asyncio.StreamWriter) -> None:
        items = queue[: int(asked.query["limit"])]
        writer.write(reply(200, {"data": {"items": items, "total": len(items)}}))

    async def ask() -> int:
        async with talking(from_the_start) as (transport, server):
            with pytest.raises(PayloadError, match="range-start"):
                await walk(transport, page_size(10))
            return len(server.asked)

    assert run(ask()) == 2


def test_filter_is_never_relied_on() -> None:
    """Who fails is told by the recipients; nothing of a filter is sent."""
    queue = [
        message(recipient(status={"temp_fail": "Error for x: Rate limited"}), recipient()),
        message(recipient(), number=1),
    ]

    (snapshot,), server = run(walked(listing(queue)))

    assert snapshot.recipients[("remote", RecipientStatus.TEMPORARY_FAILURE)] == 1
    assert snapshot.recipients[("remote", RecipientStatus.SCHEDULED)] == 2
    assert "filter" not in server.asked[0].target


def test_page_that_is_too_large_is_asked_for_again_by_halves() -> None:
    """At the same cursor, until it fits; nothing is counted twice."""
    queue = queue_of(40, recipients=8)

    (snapshot,), server = run(walked(listing(queue), page=40, max_body_bytes=20_000))

    assert snapshot.messages == 40
    limits = [int(query["limit"]) for query in queries(server)]
    assert limits[:3] == [40, 20, 10]
    assert all("range-start" not in query for query in queries(server)[:2])


def test_single_message_that_is_too_large_ends_the_poll() -> None:
    """There is no smaller page than one message."""
    queue = queue_of(3, recipients=100)

    async def ask() -> list[str]:
        async with talking(listing(queue), max_body_bytes=10_000) as (transport, server):
            with pytest.raises(PayloadTooLarge):
                await walk(transport, page_size(4))
            return [query["limit"] for query in queries(server)]

    assert run(ask()) == ["4", "2", "1"]


def test_page_size_is_remembered_from_poll_to_poll() -> None:
    """Queues are much the same half a minute later."""
    _, server = run(walked(listing(queue_of(50)), polls=2))

    assert [int(query["limit"]) for query in queries(server)] == [1000, 4000]


def test_page_size_follows_the_weight_of_messages() -> None:
    """Towards three mebibytes, by at most fourfold at a time, within bounds."""
    size = PageSize()

    size.learn(items=1000, body_bytes=560_000)
    assert size.messages == 4000
    size.learn(items=4000, body_bytes=4000 * 560)
    assert size.messages == TARGET_BYTES // 560
    size.learn(items=5000, body_bytes=5000 * 20)
    assert size.messages == LARGEST_PAGE
    size.learn(items=1, body_bytes=50_000_000)
    assert size.messages == 1
    size.learn(items=0, body_bytes=60)
    assert size.messages == 1


@pytest.mark.parametrize(("recipients", "others_run"), [(1, False), (130, True)])
def test_heavy_page_lets_others_run_while_it_is_read(recipients: int, others_run: bool) -> None:
    """Something else gets its turn in between, which a page of the usual weight is not worth."""
    body = page_of(queue_of(200, recipients=recipients))

    async def read() -> tuple[int, int]:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        ticking = asyncio.ensure_future(tick())
        fold = QueueFold(HandClock().now())
        await feed_page(fold, body, None)
        ticking.cancel()
        return fold.messages, turns

    messages, turns = run(read())

    assert messages == 200
    assert (turns > 3) is others_run


@pytest.mark.parametrize("kind", [TargetTimeout, TargetUnreachable])
def test_trouble_in_the_middle_of_a_walk_is_the_trouble_of_the_poll(kind: type[Exception]) -> None:
    """Half a queue is no snapshot."""
    plain = listing(queue_of(30))

    async def failing(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if "range-start" not in asked.query:
            await plain(asked, writer)
        elif kind is TargetUnreachable:
            writer.close()
        else:
            await asyncio.Event().wait()

    async def ask() -> None:
        async with talking(failing, read_timeout_seconds=0.1) as (transport, _):
            with pytest.raises(kind):
                await walk(transport, page_size(10))

    run(ask())


@pytest.mark.parametrize(("told", "running"), [({"status": False}, False), ({"status": None}, None), ({}, True)])
def test_list_tells_whether_the_server_delivers(told: dict[str, Any], running: bool | None) -> None:
    """Without another request."""
    (snapshot,), server = run(walked(listing(queue_of(3), **told)))

    assert snapshot.running is running
    assert len(server.asked) == 1
