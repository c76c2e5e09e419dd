"""Logs that are written in a way that hides something, or that grow by being read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.simulator import World
from tests.support.exporter import wait_until
from tests.support.standin import COLLECTORS, Scene, after_polls, asked, community, outcomes, wait_good, watching

VERSIONS = ("0.15.5", "0.16.18")
PROBLEM = "stalwart_exporter_log_problem"
DELIVERIES = ("stalwart_deliveries_total", "outcome", "reason", "code")
BYTES_A_REQUEST = 6000
"""What a server at level trace writes about one small request: its headers, its body and the response."""

MAX_LOG_BYTES = 300_000
"""What a first page of lines and a few responses in full come to, and a reading that goes on does not."""


def key_of(version: str) -> dict[str, object]:
    """How the exporter logs in."""
    return {"login": ("watcher@example.test", "lab-watcher-secret")} if version.startswith("0.16") else {}


def log_requests(scene: Scene) -> int:
    """How often the log was asked for."""
    rest = len(asked(scene.server, "/api/logs"))
    return rest + sum(any(call.startswith("x:Log/") for call in request.calls) for request in scene.server.requests)


def doctor(scene: Scene) -> str:
    """What the command says about the scene's server."""
    command = [sys.executable, "-m", "exporter", "doctor", "--json", "--config", str(scene.exporter.config_path)]
    environ = {**os.environ, "STALWART_EXPORTER_CHECKS__ENABLED": "false"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout)[0]["log"]


def tell(scene: Scene, problem: str, words: str) -> None:
    """The problem is shown by metric, page and log."""
    scene.wait_for(PROBLEM, 1, problem=problem)
    assert words in scene.page("/")
    events = [e for e in scene.exporter.events() if e["event"] in ("log.stopped", "log.impaired")]
    assert [e["problem"] for e in events] == [problem]
    assert words in str(events[0]["reason"])


@pytest.mark.fault("server", "the log holds every HTTP response in full (tracer level trace)")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_log_that_grows_by_being_read_is_left_alone(tmp_path: Path, version: str):
    """The exporter stops reading the log, and reads it again once the level has changed."""
    with watching(tmp_path, community(version, log_level="TRACE"), **key_of(version)) as scene:
        tell(scene, "own_responses", "tracer level trace")
        scene.wait_for("stalwart_exporter_capability", 1, capability="logs", status="not_configured")
        assert "tracer level trace" in doctor(scene)
        after_polls([scene], "queue")
        asked_before, size = log_requests(scene), scene.server.call(lambda world: world.journal.log.size_bytes())
        requests = len(scene.server.requests)
        after_polls([scene], "queue")
        after_polls([scene], "queue")
        grown = scene.server.call(lambda world: world.journal.log.size_bytes()) - size
        assert log_requests(scene) <= asked_before + 4
        assert 0 < grown < BYTES_A_REQUEST * (len(scene.server.requests) - requests)

        scene.server.call(lambda world: setattr(world.journal, "log_level", "INFO"))
        scene.wait_for(PROBLEM, 0, problem="own_responses")
        wait_good([scene], "logs")
        scene.mail("a@ok.test", times=3)
        scene.wait_shown(*DELIVERIES, wanted=outcomes(scene.server))


@pytest.mark.parametrize("intervals", [{}, dict.fromkeys(set(COLLECTORS) - {"logs"}, 3600)], ids=["all", "logs alone"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_level_that_is_raised_under_way_ends_the_reading(tmp_path: Path, version: str, intervals: dict[str, float]):
    """The first response that stands in the log is the last one that is read, whether or not others are made."""
    with watching(tmp_path, community(version), intervals=intervals, **key_of(version)) as scene:
        wait_good([scene], "logs")
        after_polls([scene], "logs")
        scene.server.call(lambda world: setattr(world.journal, "log_level", "TRACE"))

        tell(scene, "own_responses", "tracer level trace")

        before = log_requests(scene)
        assert scene.server.call(lambda world: world.journal.log.size_bytes()) < MAX_LOG_BYTES
        if not intervals:
            after_polls([scene], "queue")
            assert log_requests(scene) <= before + 3
        assert scene.value("stalwart_exporter_log_gaps_total") == 1


@pytest.mark.fault("server", "the log is written with colours (ansi)")
@pytest.mark.parametrize("version", ["0.12.5", "0.15.5"])
def test_a_log_in_colours_is_told(tmp_path: Path, version: str):
    """The collector is off, since the server cannot parse its own log, and the reason is reported."""
    with watching(tmp_path, community(version, log_ansi=True)) as scene:
        tell(scene, "ansi", "ansi = false")
        scene.wait_for("stalwart_exporter_capability", 1, capability="logs", status="not_configured")
        assert "ansi = false" in doctor(scene)
        assert scene.value("stalwart_exporter_collector_success", collector="logs") is None


def test_colours_that_are_turned_on_under_way_are_told(tmp_path: Path):
    """The lines before them are still there, and nothing new."""
    with watching(tmp_path, community()) as scene:
        wait_good([scene], "logs")
        scene.server.call(lambda world: setattr(world.journal, "ansi", True))

        tell(scene, "ansi", "ansi = false")


def test_a_server_that_reads_its_colours_is_read(tmp_path: Path):
    """From v0.16 on the API takes them away."""
    with watching(tmp_path, community("0.16.18", log_ansi=True), **key_of("0.16")) as scene:
        wait_good([scene], "logs")
        scene.mail("a@ok.test", "b@defer.test", "c@reject.test", times=3)

        scene.wait_shown(*DELIVERIES, wanted=outcomes(scene.server))


@pytest.mark.fault("server", "the log has each field on its own line (multiline)")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_multiline_log_is_counted_without_what_the_api_leaves_out(tmp_path: Path, version: str):
    """Each outcome is counted once, and none with another message's reason."""
    with watching(tmp_path, community(version, log_multiline=True), **key_of(version)) as scene:
        tell(scene, "multiline", "multiline = false")
        wait_good([scene], "logs")
        scene.mail("a@ok.test", "b@defer.test", "c@reject.test", times=3)
        scene.mail("a@refused.test", "b@full.test")
        after_polls([scene], "logs")

        wanted: dict[tuple[str, ...], float] = {}
        for (outcome, _, _), count in outcomes(scene.server).items():
            reason = "" if outcome == "delivered" else "unknown"
            wanted[outcome, reason, ""] = wanted.get((outcome, reason, ""), 0) + count
        scene.wait_shown(*DELIVERIES, wanted=wanted)
        assert "multiline = false" in doctor(scene)


@pytest.mark.fault("server", "a copy beside the log hides its newest lines")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_copy_that_hides_the_log_is_told(tmp_path: Path, version: str):
    """The collector fails while the copy exists, and counts every line once it is removed."""
    with watching(tmp_path, community(version), **key_of(version)) as scene:
        wait_good([scene], "logs")
        for _ in range(3):
            after_polls([scene], "logs")
        scene.mail("a@ok.test", times=30)
        after_polls([scene], "logs")
        scene.server.call(lambda world: world.journal.log.copy_aside())
        scene.mail("b@ok.test", times=3)

        tell(scene, "outdated", "sorts after the log")
        scene.wait_for("stalwart_exporter_collector_success", 0, collector="logs")
        assert scene.value("stalwart_up") == 1

        scene.server.call(remove_copy)
        scene.reload()
        scene.wait_for(PROBLEM, 0, problem="outdated")
        scene.wait_shown(*DELIVERIES, wanted=outcomes(scene.server))


def remove_copy(world: World) -> None:
    """The copy is moved to where it belongs."""
    files = world.journal.log.files
    del files[max(files)]


def all_counted(scene: Scene) -> bool:
    """Whether the exporter shows as many deferrals as the server has, retries included."""
    return scene.shown(*DELIVERIES) == outcomes(scene.server)


@pytest.mark.slow
@pytest.mark.fault("server", "a flood of deferrals between two polls of the log")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("messages", [5000, 50_000])
def test_a_flood_of_deferrals_loses_none(tmp_path: Path, version: str, messages: int):
    """With default settings no deferral is lost, for logs of 100 000 and of a million lines."""
    settings = {**key_of(version), "every": None, "max_requests_per_minute": 55}
    with watching(tmp_path, community(version), **settings) as scene:
        wait_good([scene], "logs")
        scene.server.call(lambda world: setattr(world.journal.log, "most_lines", 2_000_000))
        for _ in range(messages // 500):
            scene.mail("a@defer.test", times=500)

        wait_until(lambda: all_counted(scene), what="every deferral is counted", seconds=900)
        assert scene.value("stalwart_exporter_log_gaps_total") == 0
