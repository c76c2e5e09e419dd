"""What the JMAP generation tells of itself: samples, traces, logs, live streams, and the names of its counters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from exporter.simulator import StandIn, World
from exporter.simulator.world.telemetry.names import MISPRINTED, RENAMED, SPARED, counted_names, printed_name
from tests.support.replays.lab_jmap import call, do, jmap_stand_in, key
from tests.support.replays.logins import PROMETHEUS, new_client

ENTERPRISE = {"edition": "enterprise", "metrics_store": True, "trace_store": True}
HOUR = 3600
OLDEST_FIRST = {"sort": [{"property": "timestamp", "isAscending": True}], "position": 0}


@contextmanager
def watching(**profile: Any) -> Iterator[tuple[StandIn, httpx.Client]]:
    """A stand-in, and a client with the watcher's key."""
    with jmap_stand_in(**profile) as server, new_client(server.url) as client:
        client.headers.update(key(server))
        yield server, client


def an_hour_with_mail(world: World) -> None:
    """Three messages are delivered, and the clock comes to the hour's sample."""
    for number in range(3):
        world.submit([f"u{number}@ok.test"])
    world.advance(HOUR)


def rows(client: httpx.Client, kind: str, **arguments: Any) -> list[dict[str, Any]]:
    """The objects that a query finds."""
    reference = {"resultOf": "c0", "name": f"x:{kind}/query", "path": "/ids"}
    found: list[dict[str, Any]] = call(client, (f"x:{kind}/query", arguments), (f"x:{kind}/get", {"#ids": reference}))[
        1
    ]["list"]
    return found


def test_counters_are_stored_as_increases_and_histograms_as_totals() -> None:
    """After two hours of the same mail the two rows of a counter are alike, and those of a histogram grow."""
    with watching(**ENTERPRISE) as (server, client):
        do(server, an_hour_with_mail, an_hour_with_mail)

        asked = {"filter": {"metric": ["queue.authenticated-message-queued", "delivery.total-time", "nonsense"]}}
        found = rows(client, "Metric", **asked, **OLDEST_FIRST)

    told = [(row["@type"], row["metric"], row["count"]) for row in found]
    assert told == [
        ("Counter", "queue.authenticated-message-queued", 3),
        ("Histogram", "delivery.total-time", 3),
        ("Counter", "queue.authenticated-message-queued", 3),
        ("Histogram", "delivery.total-time", 6),
    ]
    assert all("sum" in row for row in found if row["@type"] == "Histogram")


@pytest.mark.parametrize("metric", [["nonsense"], "queue.count"])
def test_samples_of_no_known_metric_are_unsupported(metric: Any) -> None:
    """A list without a known name, and a name that is no list, are refused."""
    with watching(**ENTERPRISE) as (_, client):
        assert call(client, ("x:Metric/query", {"filter": {"metric": metric}}))[0]["type"] == "unsupportedFilter"


def test_a_store_that_is_not_configured_is_unavailable() -> None:
    """A licence without stores gives an error of the call."""
    with watching(edition="enterprise") as (_, client):
        answers = call(client, ("x:Metric/query", {}), ("x:Trace/query", {}), ("x:Metric/get", {"ids": None}))

    assert [answer["type"] for answer in answers] == ["serverUnavailable"] * 3


@pytest.mark.parametrize("edition", ["community", "unlicensed"])
def test_without_a_licence_there_is_no_telemetry(edition: str) -> None:
    """Calls are forbidden, and the streams and their tokens are unknown paths."""
    with watching(edition=edition) as (_, client):
        answers = call(client, ("x:Metric/query", {}), ("x:Trace/get", {"ids": None}))
        paths = [client.get(f"/api/{what}/{kind}") for what in ("token", "live") for kind in ("metrics", "tracing")]

    assert [answer["type"] for answer in answers] == ["forbidden"] * 2
    assert {response.status_code for response in paths} == {404}


def test_a_trace_is_found_by_its_message_and_tells_typed_values() -> None:
    """A queue id finds the attempts on a message; lists and durations carry their types."""
    with watching(**ENTERPRISE) as (server, client):
        do(server, lambda world: world.submit(["u@reject.test"]), lambda world: world.advance(1))
        spans = rows(client, "Trace", filter={"event": "delivery.attempt-start", "text": "reject.test"}, **OLDEST_FIRST)
        number = server.call(
            lambda world: next(e for s in world.traces.spans() for e in s.events if "queueId" in e.keys)
        )

    values = {pair["key"]: pair["value"] for pair in spans[0]["events"]["0"]["keyValues"].values()}
    ended = list(spans[0]["events"].values())[-1]
    assert len(spans) == 1
    assert (spans[0]["from"], spans[0]["to"]) == ("alice@example.test", "u@reject.test")
    assert values["queueId"] == {"@type": "UnsignedInt", "value": number.keys["queueId"]}
    assert values["to"] == {"@type": "List", "value": {"0": {"@type": "String", "value": "u@reject.test"}}}
    assert ended["event"] == "delivery.attempt-end"
    assert ended["keyValues"]["0"]["value"]["@type"] == "Duration"


def test_log_ids_are_places_that_mean_something_else_after_a_rotation() -> None:
    """Anchors page backwards without loss; a new file makes every id name another place."""
    with watching() as (server, client):
        server.call(lambda world: [world.submit([f"u{n}@ok.test"]) for n in range(5)] and world.tick())
        all_ = call(client, ("x:Log/query", {}))[0]["ids"]
        first = call(client, ("x:Log/query", {"limit": 4}))[0]["ids"]
        second = call(client, ("x:Log/query", {"limit": 4, "anchor": first[-1], "anchorOffset": 0}))[0]["ids"]
        line = rows(client, "Log", limit=1)[0]

        do(
            server,
            lambda world: world.rotate_logs(),
            lambda world: world.submit(["late@ok.test"]),
            lambda world: world.tick(),
        )
        again = rows(client, "Log", filter={"text": line["details"]})

        assert first + second == all_[:8]
        assert line["id"] not in {row["id"] for row in again}
        assert line | {"id": ""} in [row | {"id": ""} for row in again]
        assert call(client, ("x:Log/query", {"anchor": "zzzzz"}))[0]["ids"] == []


def test_log_levels_are_all_the_same_before_0_16_3() -> None:
    """A release that does not know levels calls everything info."""
    with watching(version="0.16.2") as (server, client):
        server.call(lambda world: world.raise_event("auth.too-many-attempts"))

        assert {row["level"] for row in rows(client, "Log", limit=5)} == {"info"}


def test_the_log_calls_events_by_their_new_names() -> None:
    """After an upgrade the same file holds lines in the words of either generation."""
    with jmap_stand_in(version="0.15.5") as server, new_client(server.url) as client:
        do(server, lambda world: world.submit(["u@ok.test"]), lambda world: world.tick())
        server.upgrade("0.16.18")
        do(server, lambda world: world.submit(["u@ok.test"]), lambda world: world.tick())
        client.headers.update(key(server))

        events = {row["event"] for row in rows(client, "Log")}

    assert {"queue.queue-message-authenticated", "queue.authenticated-message-queued"} <= events


def counters_of(page: str) -> dict[str, int]:
    """The counters of a metrics page."""
    kinds = {line.split()[2]: line.split()[3] for line in page.splitlines() if line.startswith("# TYPE")}
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return {name: int(value) for name, value in values.items() if kinds.get(name) == "counter"}


@pytest.mark.parametrize(("version", "name"), [("0.16.12", "auth_failed"), ("0.16.5", "auth_warning")])
def test_counters_stand_under_other_names_up_to_0_16_11(version: str, name: str) -> None:
    """On the page the count of failed logins is called otherwise until the repair; gauges never are."""
    with watching(version=version) as (server, client):
        server.call(lambda world: world.log_in("alice", succeeds=False, tries=7))

        page = client.get("/metrics/prometheus", auth=PROMETHEUS).text

    assert counters_of(page)[name] == 7
    assert ("auth_failed" in page) is (name == "auth_failed")
    assert "server_memory" in page


def test_misprinted_names_are_a_permutation_that_spares_three() -> None:
    """No two counters share a printed name, and none but the three known ones keeps its own."""
    names = [*counted_names(), *SPARED]
    inside = {new: old for old, new in RENAMED.items()}

    printed = {name: printed_name(inside.get(name, name), misnamed=True) for name in names}

    assert len(set(printed.values())) == len(printed)
    assert {name for name in names if printed[name] == name} == SPARED
    assert printed.items() >= MISPRINTED.items()
    assert all(printed_name(inside.get(name, name), misnamed=False) == name for name in names)


def frames(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The frames of a stream, as they come."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize(("version", "name"), [("0.16.18", "auth.failed"), ("0.16.5", "auth.warning")])
def test_live_metrics_come_at_once_in_the_new_spelling(version: str, name: str) -> None:
    """The first frame holds counters, all gauges and histograms, each with `metric`, `@type` and `count`."""
    with watching(version=version, edition="enterprise") as (server, client):
        do(server, lambda world: world.log_in("alice", succeeds=False), an_hour_with_mail)
        with client.stream("GET", "/api/live/metrics?interval=60") as response:
            event, frame = next(frames(response))

    told = {metric["metric"]: metric for metric in frame}
    assert event == "metrics"
    assert response.headers["cache-control"] == "no-store"
    assert told[name] == {"metric": name, "@type": "Counter", "count": 1}
    assert told["queue.count"]["@type"] == "Gauge"
    assert told["delivery.total-time"].keys() == {"metric", "@type", "count", "sum"}


def test_naming_a_gauge_leaves_the_counters_alone() -> None:
    """Each kind is filtered only if one of it was named."""
    with watching(edition="enterprise") as (server, client):
        server.call(an_hour_with_mail)
        with client.stream("GET", "/api/live/metrics?metrics=queue.count") as response:
            _, frame = next(frames(response))

    assert [m["metric"] for m in frame if m["@type"] != "Counter"] == ["queue.count"]
    assert len([m for m in frame if m["@type"] == "Counter"]) > 5


def test_live_traces_begin_with_a_ping_and_repeat_what_went_before() -> None:
    """The second frame of events begins with all of the first; only spans that matched the filter are in it."""
    with (
        watching(edition="enterprise") as (server, client),
        client.stream("GET", "/api/live/tracing?filter=u0@ok.test") as response,
    ):
        told = frames(response)
        greeting = next(told)
        do(server, lambda world: world.submit(["u0@ok.test"]), lambda world: world.tick())
        first = next(told)
        do(server, lambda world: world.submit(["u1@ok.test"]), lambda world: world.submit(["u0@ok.test"]))
        second = next(told)

    assert greeting == ("ping", {"interval": 30000})
    assert (first[0], second[0]) == ("trace", "trace")
    assert second[1][: len(first[1])] == first[1]
    assert len(second[1]) > len(first[1])
    assert "u1@ok.test" not in json.dumps(second)
    assert any(pair["key"] == "spanId" for pair in first[1][0]["keyValues"].values())


def test_a_token_is_bare_text_and_opens_its_own_stream() -> None:
    """The token of one kind opens that stream without a login, and not the other."""
    with watching(edition="enterprise") as (server, client), new_client(server.url) as stranger:
        token = client.get("/api/token/metrics")
        with stranger.stream("GET", "/api/live/metrics", params={"token": token.text}) as opened:
            status = opened.status_code
        other = stranger.get("/api/live/tracing", params={"token": token.text})

    assert not token.text.startswith("{")
    assert token.headers["cache-control"] == "no-cache"
    assert (status, other.status_code) == (200, 401)


def test_the_inventory_shows_in_its_objects() -> None:
    """Tasks, certificates, keys, addresses, nodes and samples are read as they were put in."""
    with watching() as (server, client):

        def put_in(world: World) -> None:
            inventory = world.inventory
            inventory.add_task("AcmeRenewal", status="Failed", attempts=3, reason="no", subject={"domainId": "b"})
            inventory.add_certificate(("mx.example.test",), days_left=3)
            inventory.add_signature("s1", next_in=-60)
            inventory.block("192.0.2.7", "loitering")
            inventory.add_node("mx2.example.test", silent_for=2 * HOUR)
            inventory.add_sample("a@b.test", is_spam=True)

        server.call(put_in)
        failed = rows(client, "Task", filter={"status": "Failed"})
        kinds = ("Certificate", "DkimSignature", "BlockedIp", "ClusterNode", "SpamTrainingSample")
        shown = [answer["list"] for answer in call(client, *((f"x:{kind}/get", {"ids": None}) for kind in kinds))]

    assert [(task["@type"], task["status"]["@type"], "due" in task) for task in failed] == [
        ("AcmeRenewal", "Failed", False)
    ]
    assert [certificate["notValidAfter"] for certificate in shown[0]] == ["2026-11-25T14:39:45Z"]
    assert [(one["selector"], one["stage"]) for one in shown[1]] == [("s1", "active")]
    assert [one["reason"] for one in shown[2]] == ["loitering"]
    assert [(node["hostname"], node["status"]) for node in shown[3]] == [
        ("mx.example.test", "active"),
        ("mx2.example.test", "stale"),
    ]
    assert [one["isSpam"] for one in shown[4]] == [True]
