"""The walk over the queue: each message once, whatever the queue does meanwhile and whatever the server can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError, TargetServerError
from exporter.stalwart.jmap.client import JmapClient
from tests.support.builders.jmap_queue import NOW, queue_of
from tests.support.replays.jmap import JmapServer, MethodError
from tests.support.replays.jmap_client import asked, message, methods_of

OLD_SCHEMA = {"MetricType": [{"name": "auth.failed"}]}
NEW_SCHEMA = {"MetricType": [{"name": "auth.failed"}, {"name": "smtp.dkim2-pass"}]}


def server_with(count: int, **settings: Any) -> JmapServer:
    """A server whose queue has *count* messages, a second apart."""
    server = JmapServer.recorded()
    server.rows["QueuedMessage"] = [message(n, due=NOW + timedelta(seconds=n)) for n in range(count)]
    for name, value in settings.items():
        setattr(server, name, value)
    return server


def rows_got(server: JmapServer) -> Counter[str]:
    """How often each message was got, worked out from what was asked and found."""
    return Counter(server.got)  # type: ignore[attr-defined]


class Watching(JmapServer):
    """Notes each message that it gives away."""

    def get(self, kind: str, arguments: Mapping[str, Any]) -> Any:
        result = super().get(kind, arguments)
        if kind == "QueuedMessage":
            self.got = [*getattr(self, "got", []), *(row["id"] for row in result["list"])]
        return result


def watching(count: int, **settings: Any) -> JmapServer:
    """The same as `server_with`, noting what it gives away."""
    plain = server_with(count, **settings)
    return Watching(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 1001, 4500, 4501, 5300])
def test_each_message_is_got_once(count: int):
    """Pages of 500 at most, of queues that end on a page's border and elsewhere, counted to the last."""
    server = watching(count)

    queue = queue_of(server)

    assert (queue.messages, queue.size_bytes, queue.truncated) == (count, 1000 * count, False)
    assert set(rows_got(server).values()) <= {1}
    assert len(rows_got(server)) == count
    for verb, arguments in methods_of(server, "QueuedMessage"):
        assert arguments.get("limit", 500) <= 500
        if verb == "query":
            assert ("anchor" in arguments) == (arguments.get("anchorOffset", 0) > 0)
            assert arguments.get("position", 0) == 0
            assert "anchor" in arguments or arguments["calculateTotal"]


@given(count=st.integers(0, 40), objects=st.integers(2, 20), calls=st.sampled_from([2, 3, 4, 16]))
@settings(max_examples=12, deadline=None)
def test_the_servers_limits_are_kept(count: int, objects: int, calls: int):
    """Whatever a server takes in one request, the walk is whole and nothing is refused."""
    server = watching(count)
    server.limits |= {"objects": objects, "calls": calls}
    core = {"maxCallsInRequest": calls, "maxObjectsInGet": objects}
    server.session = {"capabilities": {"urn:ietf:params:jmap:core": core}, "username": "watcher@example.test"}

    queue = queue_of(server)

    assert queue.messages == count
    assert set(rows_got(server).values()) <= {1}
    assert {row.status for row in server.asked if row.path == "/jmap/"} <= {200}


def test_a_server_that_gives_fewer_ids_than_asked_for_is_believed():
    """It says to how many it has cut the answer, and the next pages follow from there."""
    server = watching(1000)
    server.limits["query"] = 120

    queue = queue_of(server)

    assert queue.messages == 1000
    assert set(rows_got(server).values()) == {1}


def test_limits_that_the_session_does_not_tell_are_found_out():
    """A server that gives fewer objects than its session says is asked for fewer."""
    server = watching(700)
    server.limits["objects"] = 100

    queue = queue_of(server)

    assert queue.messages == 700
    assert set(rows_got(server).values()) == {1}


@pytest.mark.parametrize("maximum", [1, 500, 1000, 1200, 1299])
def test_the_walk_stops_at_the_maximum(maximum: int):
    """What lies behind is not counted, and the snapshot says that the queue goes on."""
    server = server_with(1300)

    queue = queue_of(server, max_messages=maximum)

    assert (queue.messages, queue.truncated) == (maximum, True)


@pytest.mark.parametrize("maximum", [1000, 1500])
def test_a_queue_as_long_as_the_maximum_is_whole(maximum: int):
    """Nothing lies behind."""
    queue = queue_of(server_with(1000), max_messages=maximum)

    assert (queue.messages, queue.truncated) == (1000, False)


@pytest.mark.parametrize("calls", [2, 16])
def test_a_message_that_is_put_off_meanwhile_counts_once(calls: int):
    """It comes a second time, in the next request or a later one."""
    server = server_with(1600)
    server.session = {"capabilities": {"urn:ietf:params:jmap:core": {"maxCallsInRequest": calls}}}

    def put_off(batch: int) -> None:
        if batch == 1:
            for number in (3, 77, 400):
                server.rows["QueuedMessage"][number] = message(
                    number, due=NOW + timedelta(seconds=1550, minutes=number)
                )

    server.before = put_off

    assert queue_of(server).messages == 1600


def test_messages_that_leave_meanwhile_are_not_missed_by_others():
    """The row that the next page should follow has been delivered: the walk goes on where it was."""
    server = server_with(1600)

    def deliver(batch: int) -> None:
        if batch == 1:
            server.rows["QueuedMessage"] = server.rows["QueuedMessage"][:100] + server.rows["QueuedMessage"][600:]

    server.before = deliver

    queue = queue_of(server)

    assert queue.messages == 500 + 1000


def test_an_anchor_that_is_put_off_does_not_hide_the_rows_between():
    """A jump over most of the queue shows in what is missing at its end, and the walk is made again."""
    server = server_with(3000)

    def put_off(batch: int) -> None:
        if batch == 1:
            server.rows["QueuedMessage"][499] = message(499, due=NOW + timedelta(seconds=2500))

    server.before = put_off

    assert queue_of(server).messages == 3000


def test_a_message_that_leaves_between_its_id_and_its_row_is_no_error():
    """It is not counted."""
    server = server_with(30)
    got = server.get

    def get(kind: str, arguments: Mapping[str, Any]) -> Any:
        result = got(kind, arguments)
        return {**result, "list": result["list"][2:], "notFound": [row["id"] for row in result["list"][:2]]}

    server.get = get  # type: ignore[method-assign]

    assert queue_of(server).messages == 28


@pytest.mark.parametrize("schema", [OLD_SCHEMA, NEW_SCHEMA, None])
def test_a_server_whose_anchors_do_not_work_is_walked_by_position(schema: dict[str, Any] | None):
    """As before v0.16.4: known by its schema, or else found out by pages that repeat."""
    server = watching(2200, anchors_work=False, schema=schema)

    queue = queue_of(server)

    assert queue.messages == 2200
    if schema is OLD_SCHEMA:
        assert set(rows_got(server).values()) == {1}
        assert not any("anchor" in arguments for _, arguments in methods_of(server, "QueuedMessage"))


def test_pages_that_never_advance_end_the_walk():
    """A server that answers any question with its first page is not asked for ever."""
    server = server_with(1100)
    page = server.page
    server.page = lambda kind, arguments, ids, limit: page(kind, {}, ids, limit) | {"total": 10_000}  # type: ignore[method-assign]

    with pytest.raises(TargetServerError, match="do not advance"):
        queue_of(server)


def test_an_answer_that_is_too_long_is_asked_for_in_pieces():
    """Fewer pages a request, then fewer rows a page; the next poll asks for no more than that."""
    server = watching(2000)

    async def job(client: JmapClient) -> list[int]:
        first = await client.fetch_queue(max_messages=0)
        server.got = []  # type: ignore[attr-defined]
        second = await client.fetch_queue(max_messages=0)
        return [first.messages, second.messages]

    assert asked(server, job, max_body_bytes=100_000) == [2000, 2000]
    assert set(rows_got(server).values()) == {1}


def test_what_fails_on_the_way_fails_the_poll():
    """Half a queue is no snapshot."""
    server = server_with(2000)

    def fail(batch: int) -> None:
        if batch == 1:
            server.error["x:QueuedMessage/get"] = MethodError("serverUnavailable")

    server.before = fail

    with pytest.raises(TargetServerError, match="serverUnavailable"):
        queue_of(server)


def test_a_message_that_cannot_be_read_is_named_by_its_place():
    """The path leads to the member; no address is in it."""
    server = server_with(5)
    server.rows["QueuedMessage"][3]["recipients"]["u3@defer.test"]["retryCount"] = "one"

    with pytest.raises(PayloadError) as caught:
        queue_of(server)

    assert "x:QueuedMessage/get.list[3].recipients[...].retryCount" in str(caught.value)
    assert "@defer" not in str(caught.value)
