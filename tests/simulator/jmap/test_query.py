"""How the JMAP generation pages, filters and sorts, with the paths on which it does so wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from exporter.simulator import StandIn, World
from exporter.simulator.world.ids import decode_id, encode_id
from tests.support.replays.lab_jmap import call, do, jmap_stand_in, key
from tests.support.replays.logins import new_client

ASCENDING = {"sort": [{"property": "due", "isAscending": True}]}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in of the JMAP generation whose time stands still."""
    with jmap_stand_in() as standing:
        yield standing


@pytest.fixture
def client(server: StandIn) -> Iterator[httpx.Client]:
    """A client with the watcher's key."""
    with new_client(server.url) as made:
        made.headers.update(key(server))
        yield made


def three_reports(world: World) -> list[str]:
    """Three reports, one after the other; their ids, ascending."""
    made = []
    for number in range(3):
        world.receive_dmarc(org="big.test", report_id=f"r-{number}", domain="example.test", begin=0, end=1, rows=[])
        world.advance(5)
        made.append(encode_id(world.reports.newest_first("dmarc", world.now())[0].number))
    return made


def queue_of(world: World, count: int) -> None:
    """So many deferred messages, a second apart."""
    for number in range(count):
        world.submit([f"u{number}@defer.test"])
        world.advance(1)


def test_ids_are_base_32_without_leading_zeros() -> None:
    """The examples of the contract are read and written as it says."""
    examples = {"jll13wiaaaab": 337065174630400001, "singleton": 20080258862541, "d333333": 2**32 - 1, "a": 0}

    assert {text: decode_id(text) for text in examples} == examples
    assert {number: encode_id(number) for number in examples.values()} == {n: t for t, n in examples.items()}
    assert decode_id("JLL13WIAAAAB") == 337065174630400001
    assert [decode_id(text) for text in ("", "a-b", "8", "3" * 14)] == [None] * 4


def test_the_fast_path_gives_the_oldest_rows_turned_around(server: StandIn, client: httpx.Client) -> None:
    """Without a position of 0 or a total, a page of the newest reports holds the oldest ones instead."""
    oldest, middle, newest = server.call(three_reports)
    newest_first = {"sort": [{"property": "id", "isAscending": False}], "limit": 2}

    fast, slow = call(
        client,
        ("x:DmarcExternalReport/query", newest_first),
        ("x:DmarcExternalReport/query", newest_first | {"position": 0}),
    )

    assert fast["ids"] == [middle, oldest]
    assert "limit" not in fast
    assert slow["ids"] == [newest, middle]
    assert slow["limit"] == 2


def test_an_anchor_means_greater_than_on_the_fast_path(server: StandIn, client: httpx.Client) -> None:
    """With an offset of 1 a page goes on behind its anchor; without one it holds greater ids, whatever the order."""
    oldest, middle, newest = server.call(three_reports)
    ascending = {"sort": [{"property": "id"}]}

    fast, slow = call(
        client,
        ("x:DmarcExternalReport/query", {"anchor": middle}),
        ("x:DmarcExternalReport/query", ascending | {"anchor": oldest, "anchorOffset": 1}),
    )

    assert fast["ids"] == [newest]
    assert slow["ids"] == [middle, newest]


def test_the_queue_is_walked_by_anchors_without_loss_or_repetition(server: StandIn, client: httpx.Client) -> None:
    """A first page from position 0 and further ones behind the last id give each message once, earliest due first."""
    server.call(lambda world: queue_of(world, 7))
    pages = [
        call(client, ("x:QueuedMessage/query", ASCENDING | {"position": 0, "limit": 3, "calculateTotal": True}))[0]
    ]

    while len(pages[-1]["ids"]) == 3:
        behind = {"anchor": pages[-1]["ids"][-1], "anchorOffset": 1, "limit": 3}
        pages += call(client, ("x:QueuedMessage/query", ASCENDING | behind))

    walked = [decode_id(text) for page in pages for text in page["ids"]]
    assert walked == server.call(lambda world: [message.queue_id for message in world.queue.ordered()])
    assert pages[0]["total"] == 7


def test_anchors_of_the_queue_do_not_work_before_0_16_4() -> None:
    """A release that compares ids with times finds no anchor."""
    with jmap_stand_in(version="0.16.3") as server, new_client(server.url) as client:
        server.call(lambda world: queue_of(world, 2))
        client.headers.update(key(server))
        first = call(client, ("x:QueuedMessage/query", ASCENDING | {"position": 0, "limit": 1}))[0]

        further = call(client, ("x:QueuedMessage/query", ASCENDING | {"anchor": first["ids"][0], "anchorOffset": 1}))

    assert further == [{"type": "anchorNotFound"}]


def test_a_vanished_anchor_is_an_error(server: StandIn, client: httpx.Client) -> None:
    """An anchor that has left the queue is not passed over in silence."""
    server.call(lambda world: queue_of(world, 2))
    first = call(client, ("x:QueuedMessage/query", ASCENDING | {"position": 0, "limit": 1}))[0]["ids"][0]
    server.call(lambda world: world.operations.cancel(decode_id(first) or 0, None))

    further = call(client, ("x:QueuedMessage/query", ASCENDING | {"anchor": first, "anchorOffset": 1}))

    assert further == [{"type": "anchorNotFound"}]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({"dueIsLessThan": "2026-11-22T14:41:47Z"}, 2),
        ({"dueIsLessThan": "2026-11-22T14:41:47Z", "dueIsGreaterThanOrEqual": "2026-11-22T14:41:46Z"}, 1),
        ({"operator": "AND", "conditions": [{"queueName": "remote"}, {"text": "u1@"}]}, 1),
        ({"queueName": "local"}, 0),
        ({"to": "defer.test"}, 3),
        ({"returnPath": "nobody"}, 0),
    ],
)
def test_the_queue_is_filtered(server: StandIn, client: httpx.Client, filter_: dict[str, Any], expected: int) -> None:
    """All conditions hold together, on due time, virtual queue and addresses."""
    server.call(lambda world: queue_of(world, 3))

    found = call(client, ("x:QueuedMessage/query", {"filter": filter_, "calculateTotal": True}))[0]

    assert found["total"] == expected


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("x:QueuedMessage/query", {"filter": {"operator": "OR", "conditions": []}}, "unsupportedFilter"),
        ("x:QueuedMessage/query", {"filter": {"dueIsLessThan": "yesterday"}}, "unsupportedFilter"),
        ("x:QueuedMessage/query", {"filter": {"sizeIsLessThan": 5}}, "unsupportedFilter"),
        ("x:QueuedMessage/query", {"sort": [{"property": "id"}]}, "unsupportedSort"),
        ("x:QueuedMessage/query", {"limit": "many"}, "invalidArguments"),
        ("x:QueuedMessage/get", {"ids": "all"}, "invalidArguments"),
        ("x:QueuedMessage/changes", {}, "unknownMethod"),
        ("x:Metrics/query", {}, "unknownMethod"),
        (
            "x:QueuedMessage/get",
            {"#ids": {"resultOf": "zz", "name": "x:Y/query", "path": "/ids"}},
            "invalidResultReference",
        ),
    ],
)
def test_what_cannot_be_done_is_an_error_of_its_own_call(
    client: httpx.Client, method: str, arguments: dict[str, Any], error: str
) -> None:
    """A call that fails says why, and the call after it is answered."""
    failed, other = call(client, (method, arguments), ("x:Domain/query", {}))

    assert failed["type"] == error
    assert other["ids"] == ["b"]


def test_properties_are_chosen_and_the_variant_only_with_them(client: httpx.Client) -> None:
    """Named properties and the id come back; the type only if named; everything if no name is known."""
    chosen, typed, unknown = call(
        client,
        ("x:Account/get", {"ids": ["b"], "properties": ["emailAddress"]}),
        ("x:Account/get", {"ids": ["b"], "properties": ["@type", "nonsense"]}),
        ("x:Account/get", {"ids": ["b"], "properties": ["nonsense"]}),
    )

    assert chosen["list"] == [{"id": "b", "emailAddress": "alice@example.test"}]
    assert typed["list"] == [{"id": "b", "@type": "User"}]
    assert unknown["list"][0]["name"] == "alice"


def test_ids_that_do_not_exist_or_parse_are_not_found(client: httpx.Client) -> None:
    """Both kinds come back, without an error."""
    answer = call(client, ("x:Domain/get", {"ids": ["b", "zz", "8"]}))[0]

    assert [domain["name"] for domain in answer["list"]] == ["example.test"]
    assert answer["notFound"] == ["zz", "8"]


def test_a_long_queue_is_walked_in_pages_with_each_message_once(server: StandIn, client: httpx.Client) -> None:
    """A synthetic queue has a fixed order by due time, with anchors and totals; its rows have the real shape."""
    do(server, lambda world: queue_of(world, 2), lambda world: world.synthetic_queue(1234))
    pages = []
    asked: dict[str, Any] = {"position": 0, "limit": 500, "calculateTotal": True}

    while not pages or len(pages[-1][0]["ids"]) == 500:
        reference = {"resultOf": "c0", "name": "x:QueuedMessage/query", "path": "/ids"}
        pages.append(
            call(client, ("x:QueuedMessage/query", ASCENDING | asked), ("x:QueuedMessage/get", {"#ids": reference}))
        )
        asked = {"anchor": pages[-1][0]["ids"][-1], "anchorOffset": 1, "limit": 500}

    rows = [row for _, got in pages for row in got["list"]]
    made, real = rows[:1234], rows[1234:]
    assert [row["id"] for row in rows] == [text for found, _ in pages for text in found["ids"]]
    assert len({row["id"] for row in rows}) == pages[0][0]["total"] == 1236
    assert [row["nextRetry"] for row in made] == sorted(row["nextRetry"] for row in made)
    assert made[0].keys() == real[0].keys()
    assert {tuple(next(iter(row["recipients"].values()))) for row in rows} == {
        tuple(real[0]["recipients"]["u0@defer.test"])
    }


def test_a_long_queue_is_filtered_by_due_time(server: StandIn, client: httpx.Client) -> None:
    """Nothing in it is overdue, everything is due within its longest wait, and the newest due page is the last."""
    do(server, lambda world: world.synthetic_queue(1000))

    overdue, all_, latest = call(
        client,
        ("x:QueuedMessage/query", {"filter": {"dueIsLessThan": "2026-11-22T14:39:45Z"}, "calculateTotal": True}),
        ("x:QueuedMessage/query", {"filter": {"dueIsLessThan": "2026-11-22T17:00:00Z"}, "calculateTotal": True}),
        ("x:QueuedMessage/query", {"position": 0, "limit": 10}),
    )

    assert (overdue["total"], all_["total"]) == (0, 1000)
    assert latest["ids"] == all_["ids"][:10]
