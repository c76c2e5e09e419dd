"""The server's log: whole-second times, no ids, rotation, and lines that we cause ourselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.simulator import World
from tests.support.standin import RENAMED, VERSIONS, Scene, after_polls, community, fleet, wait_good, watching

SHAPES = {f"mx-{version}": community(version) for version in VERSIONS}
OURS = ("info", "auth.success")
BASELINE = {("info", "server.startup")}


def entries(scene: Scene) -> dict[tuple[str, ...], float]:
    """The log lines that the exporter has counted, those about logins aside."""
    shown = scene.shown("stalwart_log_entries_total", "level", "event")
    return {key: count for key, count in shown.items() if key != OURS}


def written(scene: Scene) -> dict[tuple[str, ...], float]:
    """The log lines that the stand-in has written since the exporter looks, those about logins aside."""
    lines: Counter[tuple[str, str]] = scene.server.call(lambda world: world.ledger.log_lines.copy())
    return {
        (level.lower(), RENAMED.get(event, event)): float(count)
        for (level, event), count in lines.items()
        if (level.lower(), event) not in {OURS, *BASELINE}
    }


def agree(*scenes: Scene, gaps: int = 0) -> None:
    """Every line is counted, and none twice."""
    after_polls(scenes, "logs")
    for scene in scenes:
        assert entries(scene) == written(scene), scene.name
        assert scene.value("stalwart_exporter_log_gaps_total") == gaps


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A server whose clock stands still: all its log lines bear the same second."""
    with watching(tmp_path_factory.mktemp("standing"), community(), time_stands_still=True) as scene:
        wait_good([scene], "logs")
        yield scene


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Scene]:
    """A server in whose log our own requests leave no lines, which would look like those of a moment ago."""
    with watching(tmp_path, community("0.12.5")) as scene:
        wait_good([scene], "logs")
        yield scene


def refuse_relaying(world: World) -> None:
    """Two equal lines."""
    world.raise_event("smtp.relay-not-allowed", {"to": "a@elsewhere.test"}, times=2)


def test_equal_lines_of_one_second_are_each_counted(standing: Scene):
    """Lines that differ in nothing are as many as there are, also when some come after a poll of that second."""
    for _ in range(3):
        standing.server.call(refuse_relaying)
        standing.mail("a@ok.test", "b@reject.test")
        agree(standing)

    assert entries(standing)["info", "smtp.relay-not-allowed"] == 6


def test_a_second_with_thousands_of_lines_is_counted_whole(standing: Scene):
    """A watermark whose second is longer than an answer is not a place where lines are lost."""
    before = written(standing).get(("info", "smtp.relay-not-allowed"), 0)

    standing.server.call(lambda world: [refuse_relaying(world) for _ in range(1500)])
    agree(standing)
    standing.server.call(refuse_relaying)
    agree(standing)

    assert entries(standing)["info", "smtp.relay-not-allowed"] == before + 3002


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Scene]]:
    """Servers of both shapes."""
    with fleet(tmp_path_factory.mktemp("shapes"), SHAPES) as scenes:
        wait_good(scenes.values(), "logs")
        yield list(scenes.values())


@pytest.mark.fault("server", "the log rotates between two polls")
def test_rotation_loses_no_line_and_repeats_none(shapes: list[Scene]):
    """No line is lost or counted twice when a new file appears and the old one vanishes."""
    for change in (World.rotate_logs, remove_old_files, World.rotate_logs):
        change_after_a_poll(shapes, change)

    agree(*shapes)


@pytest.mark.fault("server", "the log is emptied in place")
def test_a_log_that_is_emptied_in_place_may_have_lost_lines(quiet: Scene):
    """The new lines are counted, and the possible loss is reported."""
    change_after_a_poll([quiet], empty_files)

    agree(quiet, gaps=1)


def change_after_a_poll(scenes: list[Scene], change: Callable[[World], None]) -> None:
    """Everything is counted, and then something happens to the files while mail goes on."""
    for scene in scenes:
        scene.mail("a@ok.test", "b@reject.test", times=3)
    after_polls(scenes, "logs")
    for scene in scenes:
        scene.server.call(change)
        scene.mail("a@reject.test")


def remove_old_files(world: World) -> None:
    """Only the newest log file is left."""
    files = world.journal.log.files
    for name in sorted(files)[:-1]:
        del files[name]


def empty_files(world: World) -> None:
    """Somebody copied the log away and truncated it."""
    for lines in world.journal.log.files.values():
        lines.clear()


def test_a_restart_of_the_exporter_counts_what_was_written_meanwhile(shapes: list[Scene]):
    """Lines written while nobody looked are counted once when it looks again."""
    exporter = shapes[0].exporter
    for end in (exporter.stop, exporter.kill):
        for scene in shapes:
            scene.mail("a@ok.test", "b@reject.test", times=10)
        end()
        for scene in shapes:
            scene.mail("a@ok.test", "b@reject.test", times=40)
        exporter.start()

    agree(*shapes)


def test_lines_about_our_own_requests_are_left_out_unless_wanted(shapes: list[Scene]):
    """Our logins on the HTTP listener are not counted; anybody else's are, and so is our name on another listener."""
    family, section = "stalwart_log_entries_total", "[servers.intervals]"
    after_polls(shapes, "logs")
    before = [scene.shown(family, "level", "event").get(OURS, 0) for scene in shapes]
    for scene in shapes:
        scene.server.call(lambda world: [world.log_in(name, succeeds=True) for name in ("alice", "bob", "watcher")])
    after_polls(shapes, "logs")
    after_polls(shapes, "logs")
    counted = [scene.shown(family, "level", "event")[OURS] for scene in shapes]
    assert counted == [count + 3 for count in before]

    # Up to v0.12 a login is answered from a cache, so that our requests write no lines.
    scene = shapes[-1]
    config = scene.exporter.config_path
    config.write_text(config.read_text().replace(section, f"count_own_requests = true\n{section}"))
    seen = len(scene.server.requests)
    scene.reload()

    total = scene.wait_for(family, lambda count: count > counted[-1] + 5, level="info", event="auth.success")
    # The first reading may tell of some requests that were made before.
    assert total <= counted[-1] + len(scene.server.requests) - seen + 20
