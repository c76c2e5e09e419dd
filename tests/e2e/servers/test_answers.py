"""Answers that are none: each shows under the right reason, harms nobody else, and is got over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.standin import Scene, after_polls, community, fleet, wait_good

BAD_ITEMS = '{"data":{"items":"none","total":0}}'
SUCCESS = "stalwart_exporter_collector_success"
MAX_BODY_BYTES = 1_000_000


@dataclass(frozen=True)
class Trouble:
    """A fault, the reason under which it must be counted, and whether it looks as if the whole server were down."""

    reason: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    outage: bool = False


TROUBLES = {
    "error-with-200": Trouble("server_error", "error-200", {"error": "other", "body": "Database is away"}),
    "unknown-error-with-200": Trouble("server_error", "error-200", {"error": "assertFailed", "body": "oh"}),
    "rfc-7807-problem": Trouble("server_error", "status", {"status": 500}),
    "service-unavailable": Trouble("server_error", "status", {"status": 503}),
    "proxy-without-server": Trouble("server_error", "html", {"status": 502}),
    "proxys-own-page": Trouble("payload", "html", {"status": 200}),
    "proxys-404-page": Trouble("payload", "html", {"status": 404}),
    "redirect": Trouble("payload", "redirect"),
    "empty-reply": Trouble("payload", "empty"),
    "truncated-json": Trouble("payload", "truncated-json"),
    "mistyped-json": Trouble("payload", "wrong-types"),
    "mistyped-items": Trouble("payload", "body", {"body": BAD_ITEMS}),
    "huge-body": Trouble("payload", "huge", {"megabytes": 3.0}),
    "late-answer": Trouble("timeout", "delay", {"seconds": 20.0}),
    "endless-drip": Trouble("timeout", "drip", {"seconds": 0.5}),
    "rate-limit": Trouble("busy", "status", {"status": 429}),
    "cut-in-mid-body": Trouble("unreachable", "cut"),
    "closed-without-answer": Trouble("unreachable", "close", outage=True),
    "not-http": Trouble("unreachable", "garbage", outage=True),
}


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """A server for each kind of trouble, all watched by one exporter; their logs begin to answer so."""
    with fleet(
        tmp_path_factory.mktemp("troubled"),
        dict.fromkeys(TROUBLES, community()),
        every=60,
        intervals={"logs": 2, "queue": 2},
        request_timeout=9,
        read_timeout=8,
        max_body_bytes=MAX_BODY_BYTES,
    ) as scenes:
        wait_good(scenes.values(), "logs", "queue")
        for name, trouble in TROUBLES.items():
            scenes[name].server.faults.add(trouble.kind, "/api/logs", **trouble.settings)
        yield scenes


@pytest.fixture(scope="module")
def recovered(troubled: dict[str, Scene]) -> dict[str, Scene]:
    """The same servers, well again: each collector asks again at its interval, whatever its last answer was."""
    for scene in troubled.values():
        scene.mail("a@ok.test")
        scene.server.faults.clear()
    return troubled


@pytest.mark.parametrize("name", TROUBLES)
def test_a_bad_answer_is_counted_under_its_reason(troubled: dict[str, Scene], name: str):
    """The collector that meets it fails and says so in words; the process lives."""
    scene, trouble = troubled[name], TROUBLES[name]

    scene.wait(lambda: scene.failures("logs", trouble.reason) > 0, lambda: f"{name}: no failure as {trouble.reason}")

    assert scene.value(SUCCESS, collector="logs") == 0
    failures = scene.shown("stalwart_exporter_collector_failures_total", "collector", "reason")
    assert {reason for collector, reason in failures if collector == "logs"} == {trouble.reason}
    assert scene.exporter.is_running()
    told = [e for e in scene.exporter.events() if e["event"] == "poll.failed" and e.get("server") == name]
    assert told[0]["error"]


@pytest.mark.fault("protocol", "one endpoint returns unreadable, truncated, huge or wrong responses")
def test_the_other_collectors_go_on(troubled: dict[str, Scene]):
    """While the log cannot be read, the queue is still polled."""
    patient = {name: scene for name, scene in troubled.items() if not TROUBLES[name].outage}
    for scene in patient.values():
        scene.mail("a@defer.test")

    after_polls(patient.values(), "queue")

    for scene in patient.values():
        assert scene.value("stalwart_queue_messages") == 1
        assert scene.value(SUCCESS, collector="queue") == 1


@pytest.mark.fault("protocol", "bad responses of any kind, for a while")
@pytest.mark.parametrize("name", TROUBLES)
def test_a_collector_recovers_and_has_missed_nothing(recovered: dict[str, Scene], name: str):
    """The collector recovers, and what happened meanwhile is counted."""
    scene = recovered[name]

    scene.wait_for(SUCCESS, 1, collector="logs")
    scene.wait_for("stalwart_deliveries_total", 1, outcome="delivered", reason="", code="250")

    scene.wait_for("stalwart_up", 1)
    assert scene.exporter.is_running()


@pytest.mark.fault("protocol", "every endpoint returns truncated JSON")
def test_every_collector_survives_garbage(licensed: Scene):
    """The endpoint's collector fails and recovers, and the process keeps running."""
    collectors = {
        "queue": "/api/queue/messages",
        "outgoing": "/api/queue/reports",
        "traces": "/api/telemetry/traces",
        "metrics": "/api/telemetry/metrics",
        "native": "/metrics/prometheus",
    }
    for path in collectors.values():
        licensed.server.faults.add("truncated-json", path)
    for collector in collectors:
        licensed.wait(
            lambda c=collector: licensed.failures(c, "payload") > 0,  # type: ignore[misc]
            lambda c=collector: f"{c} did not fail",  # type: ignore[misc]
        )

    licensed.server.faults.clear()
    licensed.reload()

    for collector in collectors:
        licensed.wait_for(SUCCESS, 1, collector=collector)


@pytest.mark.fault("credentials", "429 for too many failed logins")
def test_the_answer_that_bans_ends_all_asking(licensed: Scene):
    """No collector sends another request until an operator reloads."""
    licensed.server.faults.add("ban-warning", "/api/*", times=1)
    licensed.wait_for("stalwart_up", 0)
    collectors = ("queue", "logs", "traces", "outgoing", "metrics")

    licensed.wait(lambda: all(licensed.failures(c, "refused") for c in collectors), lambda: "not all say refused")

    answered = [request.status for request in licensed.server.requests if request.path.startswith("/api/")]
    assert answered[-1] == 429
    assert "banned" in licensed.page("/")
    licensed.reload()
    licensed.wait_for("stalwart_up", 1)
