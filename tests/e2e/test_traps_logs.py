"""The server's log: whole-second times, no ids, rotation, and lines that we cause ourselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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


def agree(*scenes: Scene) -> None:
    """Every line is counted, and none twice."""
    after_polls(scenes, "logs")
    for scene in scenes:
        assert entries(scene) == written(scene), scene.name
        assert scene.value("stalwart_exporter_log_gaps_total") == 0


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A server whose clock stands still: all its log lines bear the same second."""
    with watching(tmp_path_factory.mktemp("standing"), community(), time_stands_still=True) as scene:
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


def test_rotation_loses_no_line_and_repeats_none(tmp_path: Path):
    """A new file, an old one that vanishes, and one that is emptied in place are all got over."""
    with fleet(tmp_path, SHAPES) as scenes:
        wait_good(scenes.values(), "logs")
        for change in (lambda w: w.rotate_logs(), remove_old_files, lambda w: w.rotate_logs(), empty_files):
            for scene in scenes.values():
                scene.mail("a@ok.test", "b@reject.test", times=3)
            after_polls(scenes.values(), "logs")
            for scene in scenes.values():
                scene.server.call(change)
                scene.mail("a@reject.test")

        agree(*scenes.values())


def remove_old_files(world: World) -> None:
    """Only the newest log file is left."""
    files = world.journal.log.files
    for name in sorted(files)[:-1]:
        del files[name]


def empty_files(world: World) -> None:
    """Somebody copied the log away and truncated it."""
    for lines in world.journal.log.files.values():
        lines.clear()


def test_lines_about_our_own_requests_are_left_out_unless_wanted(tmp_path: Path):
    """Our logins on the HTTP listener are not counted; anybody else's are, and so is our name on another listener."""

    def log_in(world: World) -> None:
        for name in ("alice", "bob", "watcher"):
            world.log_in(name, succeeds=True)

    with watching(tmp_path, community()) as scene:
        wait_good([scene], "logs")
        scene.server.call(log_in)
        after_polls([scene], "logs")
        after_polls([scene], "logs")
        assert scene.shown("stalwart_log_entries_total", "level", "event")[OURS] == 3

        config = scene.exporter.config_path
        config.write_text(
            config.read_text().replace("[servers.intervals]", "count_own_requests = true\n[servers.intervals]")
        )
        before = len(scene.server.requests)
        scene.reload()
        scene.wait_for("stalwart_log_entries_total", lambda n: n > 3 + 5, level="info", event="auth.success")

        counted = scene.shown("stalwart_log_entries_total", "level", "event")[OURS]
        assert counted <= 3 + len(scene.server.requests) - before + 10


def test_a_restart_of_the_exporter_counts_what_was_written_meanwhile(tmp_path: Path):
    """Lines written while nobody looked are counted once when it looks again."""
    with fleet(tmp_path, SHAPES) as scenes:
        wait_good(scenes.values(), "logs")
        for _ in range(2):
            for scene in scenes.values():
                scene.mail("a@ok.test", "b@reject.test", times=10)
            scene.exporter.stop()
            for scene in scenes.values():
                scene.mail("a@ok.test", "b@reject.test", times=40)
            scene.exporter.start()

        agree(*scenes.values())
