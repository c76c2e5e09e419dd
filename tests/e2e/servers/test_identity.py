"""What a server discloses rarely or not at all: its version, and its queue to a key without the right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Profile, World
from exporter.simulator.world.accounts.directory import WATCHER_PERMISSIONS
from tests.support.standin import Scene, after_polls, community, fleet, wait_good

SERVER = "stalwart_server_info"
VERSIONS = {"rest": "0.15.5", "jmap": "0.16.18"}
QUEUE_RIGHTS = {"message-queue-list", "message-queue-get"}
FAILED = "stalwart_failed_deliveries"


def forget_the_past(world: World) -> None:
    """The log is rotated, and only the newest file is left."""
    world.rotate_logs()
    files = world.journal.log.files
    for name in sorted(files)[:-1]:
        del files[name]


def much_happens(world: World) -> None:
    """More lines than are read at first contact follow the one about the start."""
    for _ in range(100):
        world.submit(["a@ok.test", "b@reject.test"])
    world.tick()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """A server of each generation that had a life before it was watched."""
    profiles = {name: community(version) for name, version in VERSIONS.items()}
    directory = tmp_path_factory.mktemp("watched")
    with fleet(directory, profiles, before=much_happens) as scenes:
        wait_good(scenes.values(), "queue", "logs")
        yield scenes


def wait_version(scene: Scene, version: str) -> None:
    scene.wait(
        lambda: list(scene.shown(SERVER, "version")) == [(version,)],
        lambda: f"{scene.name}: {scene.shown(SERVER, 'version')} is not {version}",
    )


def test_the_version_is_read_from_what_the_log_still_holds(watched: dict[str, Scene]):
    """At first contact the line about the server's start is found, however far back it is."""
    for name, scene in watched.items():
        wait_version(scene, VERSIONS[name])


@pytest.mark.fault("process", "the exporter restarts when the server's start is no longer in its log")
def test_the_version_survives_a_restart_of_the_exporter_and_an_outage(watched: dict[str, Scene]):
    """The version is saved with the counters, and an upgrade replaces it."""
    for scene in watched.values():
        scene.server.call(forget_the_past)
    exporter = watched["rest"].exporter
    exporter.stop()
    exporter.start()
    for name, scene in watched.items():
        wait_good([scene], "logs")
        wait_version(scene, VERSIONS[name])

    for name, scene in watched.items():
        scene.server.stop_listening()
        scene.wait_for("stalwart_up", 0)
        scene.server.start_listening()
        scene.wait_for("stalwart_up", 1)
        assert list(scene.shown(SERVER, "version")) == [(VERSIONS[name],)]

    for name, release in {"rest": "0.15.6", "jmap": "0.16.19"}.items():
        watched[name].server.upgrade(release)
        wait_version(watched[name], release)


@pytest.mark.fault("credentials", "the key may not see the queue")
def test_without_the_queue_failed_deliveries_are_off_and_no_failure(tmp_path: Path):
    """The collector `failed` is off as well, without failures, and both return with the permission."""
    profiles = {name: Profile(version=version) for name, version in VERSIONS.items()}
    lacking = frozenset(WATCHER_PERMISSIONS - QUEUE_RIGHTS)
    with fleet(tmp_path, profiles, before=lambda world: world.directory.grant("watcher", lacking)) as scenes:
        wait_good(scenes.values(), "logs")
        for scene in scenes.values():
            scene.wait_for("stalwart_exporter_capability", 1, capability="queue", status="forbidden")
        after_polls(scenes.values(), "failed")
        for scene in scenes.values():
            failures = scene.failures("failed", "server_error")
            after_polls([scene], "failed")
            assert scene.value("stalwart_exporter_collector_success", collector="failed") is None
            assert scene.failures("failed", "server_error") == failures
            assert scene.failures("failed", "forbidden") == 0
            assert scene.value(FAILED, kind="temporary") is None

        for scene in scenes.values():
            scene.server.call(lambda world: world.directory.grant("watcher", frozenset(WATCHER_PERMISSIONS)))
            scene.server.stop_listening()
            scene.wait_for("stalwart_up", 0)
            scene.server.start_listening()
            scene.wait_for(FAILED, 0, kind="temporary")
