"""The queue: walked by cursor in either shape, failures told by status, numbers exact."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.simulator import StandIn, World
from exporter.simulator.world.synthetic import SyntheticQueue
from tests.support.standin import QUEUE_PATH, VERSIONS, Scene, after_polls, asked, community, fleet, wait_good

SHAPES = {f"mx-{version}": community(version) for version in VERSIONS}
FAILING = ("a@defer.test", "b@refused.test", "c@busy.test")
MAX_MESSAGES = 6000
RUNS = "stalwart_exporter_collector_duration_seconds_count"
UNKNOWN = "stalwart_exporter_unknown_values_total"
QUEUED = {
    "return_path": "alice@example.test",
    "created": "2026-01-15T10:30:00Z",
    "size": 100,
    "blob_hash": "h",
}
TIMES = {"next_retry": "2026-01-15T10:30:00Z", "next_notify": "2026-01-16T10:30:00Z", "expires": "2036-01-18T10:30:00Z"}


def queries(server: StandIn) -> list[dict[str, str]]:
    """The parameters of each reading of the queue list."""
    return [
        {name: values[-1] for name, values in parse_qs(urlsplit(request.target).query).items()}
        for request in asked(server, QUEUE_PATH)
    ]


def page(items: Iterable[dict[str, Any]]) -> str:
    """A page of the queue as a fault sends it."""
    listed = list(items)
    return json.dumps({"data": {"items": listed, "total": len(listed), "status": True}})


def flat(number: int, status: Any, *, address: str = "a@flat.test") -> dict[str, Any]:
    """A message as v0.13 and later show it."""
    return {
        **QUEUED,
        "id": number,
        "recipients": [{"address": address, "queue": "remote", "status": status, "retry_num": 1, **TIMES}],
    }


def nested(number: int, status: Any, *, address: str = "a@nested.test") -> dict[str, Any]:
    """A message as v0.12 and earlier show it."""
    domain = address.partition("@")[2]
    recipients = [{"address": address, "status": status}]
    return {
        **QUEUED,
        "id": number,
        "domains": [{"name": domain, "status": "scheduled", "recipients": recipients, "retry_num": 1, **TIMES}],
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """Servers of both shapes with the same mail, one of no shape that any version has, and one with a tenant's key."""
    profiles = {**SHAPES, "mixed": community(), "tenant": community()}
    with fleet(tmp_path_factory.mktemp("watched"), profiles) as scenes:
        wait_good(scenes.values(), "queue")
        yield scenes


@pytest.fixture
def shapes(watched: dict[str, Scene]) -> list[Scene]:
    """The servers of both shapes."""
    return [watched[name] for name in SHAPES]


def test_failing_recipients_are_told_by_their_status_from_one_reading(shapes: list[Scene]):
    """Servers ignore `filter=status:failed`: it is not sent, and the queue is read once for both collectors."""
    for scene in shapes:
        scene.mail("a@ok.test", "b@reject.test", *FAILING, times=2)
        scene.server.call(lambda world: world.pause_queue())
        scene.mail("later@ok.test")
    after_polls(shapes, "queue", "failed")
    after_polls(shapes, "failed")

    for scene in shapes:
        shown = scene.shown("stalwart_failed_deliveries", "kind")
        assert shown == {("temporary",): 2 * len(FAILING), ("permanent",): 2}, scene.name
        assert scene.value("stalwart_queue_messages") == 3
        assert scene.value("stalwart_queue_running") == 0
        polls = scene.value(RUNS, collector="queue") or 0
        assert len(asked(scene.server, QUEUE_PATH)) <= polls + 1
        assert not any("filter" in query or "status" in query for query in queries(scene.server))


def test_both_shapes_give_the_same_numbers(shapes: list[Scene]):
    """The same mail in the nested and in the flat shape differs only by the names of virtual queues."""
    old, new = shapes
    for family, labels in (
        ("stalwart_queue_failures", ("status", "reason", "code")),
        ("stalwart_queue_domain_recipients", ("domain", "status")),
        ("stalwart_queue_recipients", ("status",)),
    ):
        assert old.shown(family, *labels) == new.shown(family, *labels) != {}, family
    assert {queue for (queue,) in old.shown("stalwart_queue_recipients", "queue")} == {"default"}
    assert {queue for (queue,) in new.shown("stalwart_queue_recipients", "queue")} == {"remote"}


def test_the_shape_is_read_off_each_message(watched: dict[str, Scene]):
    """Messages of both shapes on one page, as no version sends them, are both counted; so is a status nobody knows."""
    scene = watched["mixed"]
    failure = {"temp_fail": "Code: 451, Enhanced code: 4.7.1, Message: later"}
    items = [flat(1, "scheduled"), nested(2, failure), flat(3, {"half_delivered": "what"}), nested(4, "pondering")]

    scene.server.faults.add("body", QUEUE_PATH, body=page(items))

    scene.wait_shown(
        "stalwart_queue_recipients",
        "queue",
        "status",
        wanted={
            ("remote", "scheduled"): 1,
            ("default", "temporary_failure"): 1,
            ("remote", "unknown"): 1,
            ("default", "unknown"): 1,
        },
    )
    scene.wait_shown("stalwart_failed_deliveries", "kind", wanted={("temporary",): 1})
    unknown = scene.wait_for(UNKNOWN, lambda count: count >= 2, field="recipient_status")
    scene.wait_for(UNKNOWN, lambda count: count >= unknown + 2, field="recipient_status")


def test_a_tenants_key_sees_its_own_domains(watched: dict[str, Scene]):
    """A key bound to a tenant is told the tenant's part of the queue, and that is what is shown."""
    scene = watched["tenant"]
    scene.mail("a@defer.test", times=3)
    scene.mail("a@busy.test", times=4)
    scene.wait_for("stalwart_queue_messages", 7)

    scene.server.call(lambda world: setattr(world.directory.accounts["watcher"], "tenant_domains", ("defer.test",)))

    scene.wait_for("stalwart_queue_messages", 3)
    assert scene.shown("stalwart_queue_domain_recipients", "domain") == {("defer.test",): 3}


class HighIds(SyntheticQueue):
    """A long queue whose ids no signed 64-bit number holds, let alone a float."""

    def id_at(self, number: int) -> int:
        return super().id_at(number) - super().id_at(0) + 2**63 + 12_345


@pytest.fixture(scope="module")
def long_queues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """Servers of both shapes, of whose queues no more than `MAX_MESSAGES` are walked."""
    directory = tmp_path_factory.mktemp("long")
    with fleet(directory, {**SHAPES, "high": community()}, max_queue_messages=MAX_MESSAGES) as scenes:
        yield scenes


def test_the_queue_is_walked_by_an_exact_cursor(long_queues: dict[str, Scene]):
    """Each page begins right after the last id of the one before, never by `page`, and none is longer than a bound."""
    scene = long_queues["high"]

    def lengthen(world: World) -> HighIds:
        queue = HighIds(MAX_MESSAGES - 1, world.now(), 1)
        world.synthetic = queue
        return queue

    queue = scene.server.call(lengthen)
    scene.wait_for("stalwart_queue_messages", MAX_MESSAGES - 1)
    assert scene.value("stalwart_queue_truncated") == 0

    first, *others = whole_walk(scene.server)
    assert "range-start" not in first
    number = int(first["limit"])
    for query in others:
        assert int(query["range-start"]) == queue.id_at(number - 1) + 1
        number += int(query["limit"])
    assert len(others) >= 1
    assert number >= MAX_MESSAGES - 1
    assert all(int(q["max-total"]) == int(q["limit"]) <= 10_000 and "page" not in q for q in queries(scene.server))


def whole_walk(server: StandIn) -> list[dict[str, str]]:
    """The parameters of the pages of the longest walk that has ended."""
    pages = queries(server)
    begins = [index for index, query in enumerate(pages) if "range-start" not in query]
    return max((pages[low:high] for low, high in pairwise(begins)), key=len, default=pages)


@pytest.mark.fault("server", "the queue is longer than the configured maximum")
def test_a_queue_above_the_cap_is_truncated_and_says_so(long_queues: dict[str, Scene]):
    """The walk stops at the maximum, and `stalwart_queue_truncated` is 1."""
    shapes = [long_queues[name] for name in SHAPES]
    for scene in shapes:
        scene.server.call(lambda world: world.synthetic_queue(40_000))
    for scene in shapes:
        scene.wait_for("stalwart_queue_truncated", 1)

        assert scene.value("stalwart_queue_messages") == MAX_MESSAGES
        assert sum(scene.shown("stalwart_queue_recipients", "status").values()) == MAX_MESSAGES
        read = sum(int(query["limit"]) for query in whole_walk(scene.server))
        assert read <= MAX_MESSAGES + 10_000
        scene.server.call(lambda world: setattr(world, "synthetic", None))
        scene.wait_for("stalwart_queue_truncated", 0)
