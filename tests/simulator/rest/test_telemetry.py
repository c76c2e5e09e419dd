"""`/api/telemetry` by edition: stored metrics, traces and tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from exporter.simulator import ManualClock, Profile, World
from exporter.simulator.common.parameters import Parameters
from exporter.simulator.common.responses import Answer
from tests.support.replays.logins import NARROW, PROMETHEUS, new_client, serving

METRICS, TRACES, TRACE = (f"/api/telemetry/{what}" for what in ("metrics", "traces", "trace"))
ENTERPRISE = {"edition": "enterprise", "metrics_store": True, "trace_store": True}


def items(client: httpx.Client, query: str) -> dict[str, Any]:
    """The list of traces for a query."""
    data: dict[str, Any] = client.get(f"{TRACES}?{query}").json()["data"]
    return data


@pytest.mark.parametrize(
    ("profile", "status", "body"),
    [
        ({"edition": "community"}, 404, {"title": "Not Found"}),
        ({"edition": "unlicensed"}, 200, {"error": "unsupported", "details": "Enterprise feature"}),
        ({"edition": "enterprise"}, 200, {"error": "other", "details": "No metrics store has been defined"}),
        ({"edition": "enterprise", "version": "0.10.7"}, 200, {"error": "unsupported"}),
        (ENTERPRISE, 200, {"data": []}),
    ],
)
def test_each_edition_answers_in_its_way(profile: dict[str, Any], status: int, body: dict[str, Any]) -> None:
    """Without the code a 404, without a licence or a store an error with status 200."""
    with serving(**profile) as (_, client):
        answer = client.get(METRICS)

    assert answer.status_code == status
    assert body.items() <= answer.json().items()


def test_edition_is_looked_at_before_permissions() -> None:
    """A key without permission learns of the missing licence, and of its own lack only with one."""
    with serving(NARROW, edition="unlicensed") as (_, client):
        unlicensed = client.get(METRICS).json()
    with serving(NARROW, edition="enterprise") as (_, client):
        licensed = client.get(METRICS).status_code

    assert (unlicensed["error"], licensed) == ("unsupported", 403)


def test_stored_samples_add_up_to_the_counters() -> None:
    """Counters and histograms are stored as increases, gauges as readings, zeros not at all."""
    made = World(Profile(**ENTERPRISE, metrics_interval_seconds=60), clock=ManualClock())  # type: ignore[arg-type]
    for _ in range(5):
        made.submit(["u@ok.test", "u@grey.test"])
        made.advance(90)
    made.advance(600)

    rows = made.samples.between(None, None)

    sums: dict[str, int] = {}
    for row in rows:
        if row["type"] == "counter":
            sums[row["id"]] = sums.get(row["id"], 0) + row["value"]
    assert sums["delivery.attempt-start"] == made.journal.counters.counters["delivery.attempt-start"]
    assert all(row.get("value", 1) and (row["type"] != "histogram" or row["count"] or row["sum"]) for row in rows)
    times = [row for row in rows if row["id"] == "delivery.attempt-time"]
    assert sum(row["count"] for row in times) == made.journal.counters.histograms["delivery.attempt-time"].count
    assert "delivery.delivered" not in {row["id"] for row in rows}


def test_samples_are_chosen_by_time() -> None:
    """`after` includes, `before` excludes its instant."""
    with serving(**ENTERPRISE, metrics_interval_seconds=60) as (server, client):
        for _ in range(3):
            server.call(lambda world: world.submit(["u@ok.test"]))
            server.advance(60)
        stamps = sorted({row["timestamp"] for row in client.get(METRICS).json()["data"]})

        chosen = client.get(METRICS, params={"after": stamps[1], "before": stamps[2]}).json()["data"]

    assert len(stamps) == 3
    assert {row["timestamp"] for row in chosen} == {stamps[1]}


def test_samples_stay_in_order_of_time_when_the_clock_is_set_back() -> None:
    """What is stored after the clock was set back stands before what was stored by the time of before."""
    made = World(Profile(**ENTERPRISE, metrics_interval_seconds=60), clock=ManualClock())  # type: ignore[arg-type]
    made.submit(["u@ok.test"])
    made.advance(60)
    made.set_clock(-86_400)
    made.submit(["u@ok.test"])
    made.advance(60)

    stamps = [row["timestamp"] for row in made.samples.between(None, None)]

    assert len(set(stamps)) == 2
    assert stamps == sorted(stamps)


def test_restart_begins_increases_anew() -> None:
    """The first sample after a start covers the time since the start; nothing goes negative."""
    made = World(Profile(**ENTERPRISE, metrics_interval_seconds=60), clock=ManualClock())  # type: ignore[arg-type]
    made.submit(["u@ok.test"])
    made.advance(60)
    made.restart()
    made.submit(["u@ok.test"])

    made.advance(60)

    values = [row["value"] for row in made.samples.between(None, None) if row["id"] == "smtp.connection-start"]
    assert values == [1, 1]


def test_traces_need_their_store() -> None:
    """Without one both calls are unsupported, with status 200."""
    with serving(edition="enterprise") as (_, client):
        bodies = [client.get(path).json() for path in (TRACES, f"{TRACE}/1")]

    assert bodies == [{"error": "unsupported", "details": "No tracing store has been configured"}] * 2


def test_trace_tells_the_attempt_in_order() -> None:
    """First the opening, last the end, without the keys of the span in each event."""
    with serving(**ENTERPRISE) as (server, client):
        queue_id = server.call(lambda world: world.submit(["u@reject.test"])).queue_id

        (span,) = items(client, f"type=delivery.attempt-start&queue_id={queue_id}")["items"]
        events = client.get(f"{TRACE}/{span}").json()["data"]

    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("delivery.attempt-start", "delivery.attempt-end")
    assert (
        kinds.index("delivery.rcpt-to-rejected")
        < kinds.index("delivery.dsn-perm-fail")
        < kinds.index("queue.queue-dsn")
    )
    assert events[0]["data"]["queueId"] == queue_id
    assert "queueName" not in events[1]["data"]
    assert set(events[1]) == {"text", "details", "createdAt", "type", "data"}


def test_spans_are_stored_when_they_end_under_the_id_of_their_start() -> None:
    """A long attempt is invisible until it is over, and then older than what came meanwhile."""
    with serving(**ENTERPRISE) as (server, client):
        server.call(lambda world: world.submit(["u@hang.test"]))
        server.call(lambda world: world.tick())
        server.advance(1)
        server.call(lambda world: world.submit(["u@ok.test"]))
        server.call(lambda world: world.tick())
        before = items(client, "type=delivery.attempt-start")["items"]
        server.advance(5)

        after = items(client, "type=delivery.attempt-start")["items"]

    assert len(before) == 1
    assert len(after) == 2
    assert after[0] == before[0] > after[1]


def test_traces_are_found_by_opening_words_and_time() -> None:
    """Only opening events match `type`; unknown names find everything; words are sought in addresses and hosts."""
    with serving(**ENTERPRISE) as (server, client):
        for domain in ("ok", "defer"):
            server.call(lambda world, domain=domain: world.submit([f"u@{domain}.test"]))
        server.advance(10)
        everything = items(client, "")

        assert items(client, "type=smtp.connection-start")["total"] == 2
        assert items(client, "type=delivery.attempt-start")["total"] == 2
        assert items(client, "type=delivery.rcpt-to-rejected")["total"] == 0
        assert items(client, "type=no.such-event")["total"] == 4
        assert items(client, "filter=mx.defer.test")["total"] == 1
        assert items(client, "filter=mx.defer.test mx.ok.test")["total"] == 0
        assert items(client, "limit=3&page=2") == {"items": everything["items"][3:], "total": 4}
        assert everything["items"] == sorted(everything["items"], reverse=True)


def test_traces_without_a_filter_go_back_a_day_since_0_15() -> None:
    """v0.15 shows the last 24 hours, older releases nothing at all."""
    with serving(**ENTERPRISE) as (server, client):
        server.call(lambda world: world.submit(["u@ok.test"]))
        server.call(lambda world: world.tick())
        server.call(lambda world: world.pause_queue())
        server.advance(2 * 86_400)

        assert items(client, "")["total"] == 0
        assert items(client, "after=2020-01-01T00:00:00Z")["total"] == 2
    with serving(**ENTERPRISE, version="0.14.1") as (server, client):
        server.call(lambda world: world.submit(["u@ok.test"]))

        assert items(client, "") == {"items": [], "total": 0}
        assert items(client, "type=delivery.attempt-start")["total"] == 1


def test_values_show_one_event_for_each_span() -> None:
    """The attempt's or the queued message's, with the span's id in its data."""
    with serving(**ENTERPRISE) as (server, client):
        server.call(lambda world: world.submit(["u@ok.test"]))

        shown = items(client, "values=1")["items"]

    assert {item["type"] for item in shown} == {"delivery.attempt-start", "queue.queue-message-authenticated"}
    assert all(set(item) == {"createdAt", "type", "data"} and "spanId" in item["data"] for item in shown)


def test_several_traces_come_as_lists_and_unknown_ones_empty() -> None:
    """A single id in the path is flat, several are nested; what is unknown is empty, not 404."""
    with serving(**ENTERPRISE) as (server, client):
        server.call(lambda world: world.submit(["u@ok.test"]))
        first, second = items(client, "")["items"]

        both = client.get(f"{TRACE}/{first},{second}").json()["data"]

        assert [len(events) > 1 for events in both] == [True, True]
        assert client.get(f"{TRACE}?id={first}").json()["data"] == both[:1]
        assert client.get(f"{TRACE}/{first}").json()["data"] == both[0]
        assert client.get(f"{TRACE}/1").json() == {"data": []}


def test_live_tokens_are_fresh_each_time() -> None:
    """Both kinds are strings that open nothing else."""
    with serving(**ENTERPRISE) as (_, client):
        tokens = [client.get(f"/api/telemetry/live/{kind}-token").json()["data"] for kind in ("metrics", "tracing")]
        opened = client.get(METRICS, params={"token": tokens[0]}, auth=NARROW).status_code

    assert len(set(tokens)) == 2
    assert opened == 403


async def _one_frame() -> AsyncIterator[bytes]:
    yield b"event: metrics\ndata: []\n\n"


def _stream(world: World, parameters: Parameters) -> Answer:
    return Answer(200, b"", "text/event-stream", stream=_one_frame())


def test_live_streams_hang_in_behind_header_and_token() -> None:
    """A stream opens for a permitted login, for a fresh token without one, and for a WebSocket handshake too."""
    path = "/api/telemetry/metrics/live"
    handshake = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    with serving(**ENTERPRISE) as (server, client):
        server.simulator.front.api.telemetry.streams = {"metrics": _stream}
        token = client.get("/api/telemetry/live/metrics-token").json()["data"]
        with new_client(server.url) as stranger:
            by_token = stranger.get(path, params={"token": token})
            server.advance(61)
            too_late = stranger.get(path, params={"token": token}).status_code
        shaken = client.get(path, headers=handshake)
        forbidden = client.get(path, auth=NARROW).status_code

    assert by_token.headers["content-type"] == "text/event-stream"
    assert by_token.text == shaken.text == "event: metrics\ndata: []\n\n"
    assert (too_late, forbidden) == (401, 403)


def test_native_page_differs_by_edition() -> None:
    """`queue_count` and eight histograms belong to the licence."""
    pages = {}
    for edition in ("community", "enterprise"):
        with serving(PROMETHEUS, edition=edition) as (server, client):
            server.call(lambda world: world.submit(["u@ok.test", "bob@example.test"]))
            text = client.get("/metrics/prometheus").text
        pages[edition] = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}

    assert pages["community"] < pages["enterprise"]
    assert "queue_count" in pages["enterprise"] - pages["community"]
    assert "dns_lookup_time" in pages["enterprise"] - pages["community"]


def test_correct_histograms_are_cumulative() -> None:
    """The hypothetic repaired page has `+Inf` and rising buckets; the real one has neither."""
    buckets = {}
    for correct in (False, True):
        with serving(PROMETHEUS, correct_histograms=correct) as (server, client):
            for size in (200, 700, 2000):
                server.call(lambda world, size=size: world.submit(["u@ok.test"], size=size))
            text = client.get("/metrics/prometheus").text
        lines = [line for line in text.splitlines() if line.startswith("message_authenticated_size_bucket")]
        buckets[correct] = [(line.split('"')[1], int(line.split()[-1])) for line in lines]

    assert [count for _, count in buckets[False]] == [1, 1, 1, *[0] * 9]
    assert [count for _, count in buckets[True]] == [1, 2, *[3] * 10]
    assert (buckets[False][-1][0], buckets[True][-1][0]) == ("inf", "+Inf")
