"""The wrong-clock day: servers whose clocks are hours off or set under way, and an exporter whose own clock is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from exporter.simulator import Profile, StandIn, World
from exporter.simulator.world.clock import WallClock
from tests.e2e.servers.test_logs import entries, written
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, after_polls, counting, enterprise, outcomes, server_table

HOUR_SECONDS, DAY_SECONDS = 3600, 86_400
REST, JMAP = "0.15.5", "0.16.18"
DELIVERIES, EVENTS = "stalwart_deliveries_total", "stalwart_events_total"
ATTEMPT_TIMES = "stalwart_delivery_attempt_duration_seconds_count"
REASONS = ("outcome", "reason", "code")
STORED_EVERY_SECONDS = 1.0
GUARD_SECONDS = 240.0
"""Against waiting for ever: several servers are polled by the second, perhaps on a loaded machine."""

COUNTERS = ("traces", "logs", "metrics")
HOSTS = ("a@ok.test", "b@defer.test", "c@reject.test")
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def profile(version: str) -> Profile:
    """A licensed server whose stored metrics alone feed its counters."""
    return enterprise(version, native_page=False, metrics_interval_seconds=STORED_EVERY_SECONDS)


@contextmanager
def days(
    directory: Path, ahead: Mapping[str, tuple[str, int]], *, streams: str, **environ: str
) -> Iterator[list[Scene]]:
    """Servers by name, of a version and so many seconds ahead of the exporter that watches them all."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(StandIn(profile(version), clock=WallClock(seconds), ticking=True))
            for name, (version, seconds) in ahead.items()
        }
        tables = [
            server_table(one.url, name=name, native=False, every=4, streams=streams) for name, one in servers.items()
        ]
        exporter = stack.enter_context(Exporter(directory, config="".join(tables), environ=environ))
        yield [Scene(server, exporter, name) for name, server in servers.items()]


def hour(scene: Scene) -> None:
    """Mail to hosts of every temper, failed logins and a report."""

    def happen(world: World) -> None:
        for recipient in HOSTS:
            world.submit([recipient])
        world.tick()
        world.log_in("alice", succeeds=False, tries=2)
        about = {"domain": "example.test", "source_ip": "192.0.2.1", "arrival": int(world.now())}
        world.receive_arf(reporter="fbl.test", feedback_type="Abuse", **about)

    scene.server.call(happen)


def attempts(scene: Scene) -> int:
    """How many delivery attempts the server has timed."""
    return scene.server.call(lambda world: world.journal.counters.histograms["delivery.attempt-time"].count)


def agrees(scene: Scene, hours: int) -> bool:
    """Whether every collector shows what has happened in so many `hour`s."""
    return (
        scene.shown(DELIVERIES, *REASONS) == outcomes(scene.server)
        and entries(scene) == written(scene)
        and scene.value(EVENTS, event="auth.failed") == 2 * hours
        and scene.value(ATTEMPT_TIMES) == attempts(scene)
        and scene.value("stalwart_arf_reports_total", feedback_type="abuse") == hours
    )


def check(scenes: list[Scene], hours: int) -> None:
    """Every collector shows what has happened in so many `hour`s, and goes on showing that."""
    for scene in scenes:
        wait_until(lambda scene=scene: agrees(scene, hours), what=f"{scene.name} shows {hours}", seconds=GUARD_SECONDS)  # type: ignore[misc]
    after_polls(scenes, *COUNTERS)
    for scene in scenes:
        assert scene.shown(DELIVERIES, *REASONS) == outcomes(scene.server), scene.name
        assert scene.value(EVENTS, event="auth.failed") == 2 * hours, scene.name
        assert scene.value(ATTEMPT_TIMES) == attempts(scene), scene.name
        assert entries(scene) == written(scene), scene.name
        assert scene.value("stalwart_arf_reports_total", feedback_type="abuse") == hours, scene.name


def check_ages(scenes: list[Scene]) -> None:
    """Messages of a moment ago are young, and nothing is overdue or expired."""
    for scene in scenes:
        assert not scene.shown("stalwart_queue_overdue_recipients", "queue"), scene.name
        assert not scene.shown("stalwart_queue_expired_recipients", "queue"), scene.name
        young = scene.value("stalwart_queue_message_age_seconds_bucket", le="900.0")
        assert young == scene.value("stalwart_queue_message_age_seconds_gcount"), scene.name


def ready(scenes: list[Scene]) -> None:
    """Returns once everything that happens is counted."""
    counting(scenes)
    after_polls(scenes, *COUNTERS)


def kill(scenes: list[Scene]) -> None:
    """kill -9, and a start afterwards."""
    exporter = scenes[0].exporter
    exporter.kill()
    exporter.start()


@pytest.mark.slow
@pytest.mark.fault("clock", "servers are three hours behind and ahead of the exporter, which is killed meanwhile")
@pytest.mark.parametrize("streams", ["off", "auto"])
def test_servers_hours_off_are_counted_exactly(tmp_path: Path, streams: str):
    """Every collector of both generations counts everything once, and the skew is exported."""
    off = {
        f"{version}-{seconds}": (version, seconds)
        for version in (REST, JMAP)
        for seconds in (3 * HOUR_SECONDS, -3 * HOUR_SECONDS)
    }
    with days(tmp_path, off, streams=streams) as scenes:
        ready(scenes)
        for scene in scenes:
            hour(scene)
        check(scenes, 1)

        kill(scenes)
        for scene in scenes:
            hour(scene)
        check(scenes, 2)
        check_ages(scenes)

        for scene in scenes:
            skew = scene.value("stalwart_clock_skew_seconds")
            assert skew == pytest.approx(off[scene.name][1], abs=5)


@pytest.mark.slow
@pytest.mark.fault("clock", "a server's clock jumps by a day and back while it is watched")
@pytest.mark.parametrize("streams", ["off", "auto"])
def test_a_server_whose_clock_is_set_by_a_day_is_counted_exactly(tmp_path: Path, streams: str):
    """Every collector continues from the new time and counts each thing once, on both generations."""
    steps = {f"{version}{by:+d}": (version, by) for version in (REST, JMAP) for by in (DAY_SECONDS, -DAY_SECONDS)}
    with days(tmp_path, {name: (version, 0) for name, (version, _) in steps.items()}, streams=streams) as scenes:
        ready(scenes)
        for scene in scenes:
            hour(scene)
        check(scenes, 1)

        for number, sign in enumerate((1, -1), 2):
            for scene in scenes:
                by = sign * steps[scene.name][1]
                scene.server.call(lambda world, by=by: world.set_clock(by))
                hour(scene)
            check(scenes, number)
            for scene in scenes:
                scene.wait_for("stalwart_clock_steps_total", number - 1)


@pytest.mark.slow
@pytest.mark.fault("clock", "a server's clock jumps by a day and back, each time while the exporter is down")
def test_a_history_of_one_skew_is_read_under_another(tmp_path: Path):
    """What happened while the exporter was down is counted, and what was counted before is not counted again."""
    steps = {f"{version}{by:+d}": (version, by) for version in (REST, JMAP) for by in (DAY_SECONDS, -DAY_SECONDS)}
    with days(tmp_path, {name: (version, 0) for name, (version, _) in steps.items()}, streams="off") as scenes:
        ready(scenes)
        for scene in scenes:
            hour(scene)
        check(scenes, 1)

        for number, sign in enumerate((1, -1), 2):
            scenes[0].exporter.kill()
            for scene in scenes:
                by = sign * steps[scene.name][1]
                scene.server.call(lambda world, by=by: world.set_clock(by))
                hour(scene)
            scenes[0].exporter.start()
            check(scenes, number)


@pytest.mark.slow
@pytest.mark.fault("clock", "a server is stopped to set its clock back by a day, and the exporter is killed meanwhile")
def test_a_server_that_is_stopped_to_set_its_clock_back_is_counted_exactly(tmp_path: Path):
    """Attempts are counted on from the new process, although its totals are smaller than those in its future."""
    with days(tmp_path, {"rest": (REST, 0), "jmap": (JMAP, 0)}, streams="off") as scenes:
        ready(scenes)
        for scene in scenes:
            hour(scene)
            hour(scene)
        check_attempts(scenes, {})

        earlier = {scene.name: attempts(scene) for scene in scenes}
        for scene in scenes:
            scene.server.call(restart_a_day_back)
            hour(scene)
        check_attempts(scenes, earlier)

        kill(scenes)
        for scene in scenes:
            hour(scene)
        check_attempts(scenes, earlier)


def restart_a_day_back(world: World) -> None:
    """The server is stopped, its clock is set, and it is started."""
    world.restart()
    world.set_clock(-DAY_SECONDS)


def check_attempts(scenes: list[Scene], earlier: Mapping[str, int]) -> None:
    """All attempts are counted: *earlier* ones by server, and those of its present process."""
    wanted = {scene.name: earlier.get(scene.name, 0) + attempts(scene) for scene in scenes}
    for scene in scenes:
        scene.wait_for(ATTEMPT_TIMES, wanted[scene.name])
    after_polls(scenes, "metrics")
    assert {scene.name: scene.value(ATTEMPT_TIMES) for scene in scenes} == wanted


@pytest.mark.slow
@pytest.mark.fault("clock", "the exporter's own clock jumps by a day and back")
@pytest.mark.parametrize("by", ["+1d", "-1d"])
def test_our_own_clock_is_set_by_a_day_and_back(tmp_path: Path, by: str):
    """Nothing is counted twice or missed, and the skew metric shows the change."""
    assert FAKETIME is not None
    told = tmp_path / "faketime"
    told.write_text("+0d\n")
    faketime = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }
    with days(tmp_path, {"rest": (REST, 0), "jmap": (JMAP, 0)}, streams="off", **faketime) as scenes:
        ready(scenes)
        for scene in scenes:
            hour(scene)
        check(scenes, 1)

        for number, set_to in enumerate((by, "+0d"), 2):
            told.write_text(f"{set_to}\n")
            wanted = -int(set_to[:-1]) * DAY_SECONDS
            for scene in scenes:
                scene.wait_for("stalwart_clock_skew_seconds", lambda skew, wanted=wanted: abs(skew - wanted) < 60)
                hour(scene)
            check(scenes, number)
            check_ages(scenes)
        wait_until(scenes[0].exporter.is_running, what="the exporter still runs")
