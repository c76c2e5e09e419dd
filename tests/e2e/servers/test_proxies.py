"""What a proxy in front of a server says of its own accord is no word of the server's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from exporter.simulator import Profile
from tests.support.exporter import wait_until
from tests.support.standin import Scene, after_polls, community, enterprise, refused, wait_good, watching

CAPABILITY = "stalwart_exporter_capability"
SUCCESS = "stalwart_exporter_collector_success"
PAGE = {"body": "404 page not found\n", "content_type": "text/plain; charset=utf-8"}
DENIED = {"body": "<html><h1>403 Forbidden</h1></html>", "content_type": "text/html"}


def polls_failed(scene: Scene, collector: str = "queue", times: int = 2) -> bool:
    """Whether a collector has failed so often."""
    failures = scene.shown("stalwart_exporter_collector_failures_total", "collector", "reason")
    return sum(count for (name, _), count in failures.items() if name == collector) >= times


def check_watched(scene: Scene) -> None:
    """Everything is served again, without a reload."""
    scene.wait_for("stalwart_up", 1)
    for collector in ("queue", "logs"):
        scene.wait_for(SUCCESS, 1, collector=collector)
    assert scene.value(CAPABILITY, capability="queue", status="available") == 1
    off = {event["collector"] for event in scene.exporter.events() if event["event"] == "poll.disabled"}
    assert not off & {"queue", "logs", "outgoing", "reports"}


@pytest.mark.fault("protocol", "a proxy answers 404 page not found for a while")
@pytest.mark.parametrize("profile", [community(), Profile(version="0.16.18")], ids=["rest", "jmap"])
def test_a_proxys_404_is_a_failure_that_passes(tmp_path: Path, profile: Profile):
    """The server is down while it lasts, no feature is disabled, and polling resumes at once afterwards."""
    with watching(tmp_path, profile) as scene:
        wait_good([scene], "queue", "logs")
        scene.server.faults.add("body", "*", status=404, **PAGE)
        wait_until(lambda: polls_failed(scene), what="the queue cannot be read")
        scene.wait_for("stalwart_up", 0)

        scene.server.faults.clear()

        check_watched(scene)


@pytest.mark.fault("server", "a proxy answers 404 page not found when the exporter starts")
def test_a_404_at_first_contact_is_got_over(tmp_path: Path):
    """The exporter retries within an interval until Stalwart answers."""
    profile = community()
    with watching(tmp_path, profile) as scene:
        scene.server.faults.add("body", "*", status=404, **PAGE)
        scene.exporter.kill()
        scene.exporter.start()
        scene.wait_for("stalwart_up", 0)

        scene.server.faults.clear()

        check_watched(scene)


@pytest.mark.fault("protocol", "a proxy answers one request with 403")
def test_one_403_of_a_proxy_switches_nothing_off(tmp_path: Path):
    """One poll fails, no feature is disabled, and the next poll succeeds."""
    with watching(tmp_path, community()) as scene:
        wait_good([scene], "queue", "logs")
        scene.server.faults.add("body", "/api/queue/messages", status=403, times=1, **DENIED)
        wait_until(lambda: polls_failed(scene, times=1), what="one poll has failed")

        check_watched(scene)


@pytest.mark.fault("protocol", "one response is unreadable")
@pytest.mark.parametrize("kind", ["html", "truncated-json", "empty", "wrong-types"])
def test_one_unreadable_answer_costs_one_poll(tmp_path: Path, kind: str):
    """The next poll comes at the usual interval."""
    settings = {"status": 200} if kind in ("html", "empty") else {}
    with watching(tmp_path, community()) as scene:
        wait_good([scene], "queue")
        scene.server.faults.add(kind, "/api/queue/messages", times=1, **settings)
        wait_until(lambda: polls_failed(scene, times=1), what="one poll has failed")

        scene.wait_for(SUCCESS, 1, collector="queue")
        after_polls([scene], "queue")
        assert scene.failures("queue", "payload") == 1


@pytest.mark.fault("server", "responses of one endpoint are truncated")
def test_a_cut_answer_fails_its_collector_alone(tmp_path: Path):
    """Only the endpoint's own collector fails; the server stays up and is not detected again."""
    with watching(tmp_path, community()) as scene:
        wait_good([scene], "queue", "logs", "outgoing")
        found = len([event for event in scene.exporter.events() if event["event"] == "server.detected"])
        scene.server.faults.add("cut", "/api/queue/messages")
        wait_until(lambda: polls_failed(scene, times=4), what="the queue fails")

        failed = Counter(
            collector
            for collector, _ in scene.shown("stalwart_exporter_collector_failures_total", "collector", "reason")
        )
        assert set(failed) <= {"queue", "failed"}
        assert len([event for event in scene.exporter.events() if event["event"] == "server.detected"]) == found


@pytest.mark.slow
@pytest.mark.fault("credentials", "a permission is revoked while the server is watched")
def test_a_lost_permission_is_confirmed_with_few_refusals(tmp_path: Path):
    """It is a failure until a second check confirms it a minute later; at most three requests are refused."""
    with watching(tmp_path, enterprise(), intervals={"traces": 1}) as scene:
        wait_good([scene], "queue", "outgoing")
        scene.server.faults.add("status", "/api/queue/reports", status=403)
        scene.wait_for("stalwart_exporter_collector_success", 0, collector="outgoing")

        wait_until(
            lambda: [
                e for e in scene.exporter.events() if e["event"] == "poll.disabled" and e["collector"] == "outgoing"
            ],
            what="the permission is believed to be gone",
            seconds=120,
        )

        assert scene.value(CAPABILITY, capability="outgoing_reports", status="forbidden") == 1
        assert 2 <= refused(scene.server, 403)["/api/queue/reports", 403] <= 3
