"""The server's own counters: over restarts, wraps, underflow and a switch of source."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from exporter.simulator import World
from tests.support.standin import VERSIONS, Scene, after_polls, community, enterprise, fleet, wait_good, watching

SOURCE = "stalwart_exporter_metrics_source"
EVENTS = "stalwart_events_total"
WATCHED = ("delivery.dsn-success", "delivery.dsn-perm-fail", "queue.rescheduled", "auth.failed", "smtp.dkim-fail")
STORED = ("auth.failed", "delivery.attempt-start", "message-ingest.ham")
"""Some of the events of which a server stores how often they happened."""

WRAP = 2**32
WRAPPING = "smtp.dkim-fail"
SHAPES = {f"mx-{version}": community(version) for version in VERSIONS}
HOUR = 3600.0


def truth(scene: Scene, events: tuple[str, ...] = WATCHED) -> Counter[str]:
    """How often each event really happened."""
    happened = scene.server.call(lambda world: world.ledger.events.copy())
    return Counter({event: happened[event] for event in events})


def shown(scene: Scene, events: tuple[str, ...] = WATCHED) -> Counter[str]:
    """How often the exporter says it did."""
    found = scene.shown(EVENTS, "event")
    return Counter({event: int(found.get((event,), 0)) for event in events})


def happen(scene: Scene, times: int = 1) -> None:
    """Something of everything."""
    scene.mail("a@ok.test", "b@reject.test", "c@slow.test", "d@defer.test", times=times)
    scene.server.call(lambda world: world.log_in("alice", succeeds=False, tries=times))
    scene.server.call(lambda world: world.receive(["bob@example.test"]))
    scene.server.call(lambda world: world.tick())


def pass_the_hour(scene: Scene) -> None:
    """Time passes until the server has stored its next sample, which tells of everything up to now."""
    scene.server.call(lambda world: world.advance(HOUR - world.now() % HOUR + 0.5))


@pytest.mark.fault("server", "the server restarts and its totals begin at zero")
def test_a_restarted_server_does_not_lower_or_double_a_counter(tmp_path: Path):
    """The exporter's counters continue, also after a restart of the exporter."""
    with fleet(tmp_path, SHAPES) as scenes:
        for scene in scenes.values():
            happen(scene, 5)
        wait_good(scenes.values(), "native")
        for _ in range(2):
            for scene in scenes.values():
                happen(scene, 2)
            after_polls(scenes.values(), "native")
            for scene in scenes.values():
                scene.server.restart()
                happen(scene, 1)
            after_polls(scenes.values(), "native")
        for scene in scenes.values():
            assert shown(scene) == truth(scene), scene.name

        scene.exporter.stop()
        for scene in scenes.values():
            happen(scene, 3)
        scene.exporter.start()
        wait_good(scenes.values(), "native")

        for scene in scenes.values():
            assert shown(scene) == truth(scene), scene.name


@pytest.mark.fault("server", "a 32-bit counter wraps")
def test_a_counter_that_wraps_goes_on(licensed: Scene):
    """The exporter's counter continues past 2^32, and no restart of the server is assumed."""
    happen(licensed, 3)
    licensed.server.call(lambda world: world.journal.counters.add(WRAPPING, WRAP - 10 - present(world)))
    licensed.wait_for(EVENTS, WRAP - 10, event=WRAPPING)

    licensed.server.call(lambda world: world.raise_event(WRAPPING, times=25))
    licensed.wait_for(EVENTS, WRAP + 15, event=WRAPPING)
    after_polls([licensed], "native")

    assert shown(licensed) == truth(licensed) | {WRAPPING: WRAP + 15}


def present(world: World) -> int:
    """What the counter to be wrapped stands at."""
    return world.journal.counters.counters.get(WRAPPING, 0)


@pytest.mark.fault("server", "a gauge underflows")
def test_a_gauge_below_zero_is_withheld(licensed: Scene):
    """The gauge is absent while it is below zero and returns later; other gauges are exported."""
    active = "stalwart_active_connections"
    licensed.wait_for(active, 0, protocol="imap")
    licensed.server.call(lambda world: world.journal.counters.move("imap.active-connections", -2))
    after_polls([licensed], "native")

    assert licensed.value(active, protocol="imap") is None
    assert licensed.value(active, protocol="smtp") == 0
    licensed.server.call(lambda world: world.journal.counters.move("imap.active-connections", 5))
    licensed.wait_for(active, 3, protocol="imap")


def test_events_one_is_paged_for_are_shown_from_zero(licensed: Scene):
    """The server leaves out what is zero; what has never happened is still there to rise."""
    assert licensed.server.call(lambda world: world.ledger.events["queue.quota-exceeded"]) == 0
    assert licensed.value(EVENTS, event="queue.quota-exceeded") == 0
    assert licensed.value(EVENTS, event="pop3.connection-start") is None


def test_stored_metrics_are_hourly_deltas(tmp_path: Path):
    """Without the native page the tallies grow by each stored sample once, also over our own restart."""
    profiles = {f"mx-{version}": enterprise(version) for version in VERSIONS}
    with fleet(tmp_path, profiles, native=False, time_stands_still=True) as scenes:
        for scene in scenes.values():
            scene.server.faults.add("status", "/metrics/prometheus", status=404)
        scene.reload()
        for scene in scenes.values():
            scene.wait_for(SOURCE, 1, source="stored")
            pass_the_hour(scene)
        after_polls(scenes.values(), "metrics")
        before = {name: (shown(scene, STORED), truth(scene, STORED)) for name, scene in scenes.items()}
        for hour in range(3):
            for scene in scenes.values():
                happen(scene, 1 + hour)
                pass_the_hour(scene)
            if hour == 1:
                scene.exporter.kill()
                scene.exporter.start()
        wait_good(scenes.values(), "metrics")
        after_polls(scenes.values(), "metrics")

        for name, scene in scenes.items():
            counted, happened = shown(scene, STORED) - before[name][0], truth(scene, STORED) - before[name][1]
            assert counted == happened, name
            assert len(happened) == len(STORED)


@pytest.mark.fault("server", "the source of the counters disappears and returns")
def test_switching_source_and_back_makes_no_jump(tmp_path: Path):
    """No event is counted twice while stored metrics replace the native page, over a kill as well."""
    with watching(tmp_path, enterprise(), time_stands_still=True) as scene:
        wait_good([scene], "native", "metrics")
        pass_the_hour(scene)
        happen(scene, 3)
        after_polls([scene], "native")
        assert shown(scene, STORED) == truth(scene, STORED)

        fault = scene.server.faults.add("status", "/metrics/prometheus", status=404)
        scene.wait_for(SOURCE, 1, source="stored")
        at_switch = truth(scene, STORED)
        scene.exporter.kill()
        scene.exporter.start()
        wait_good([scene], "metrics")
        pass_the_hour(scene)
        after_polls([scene], "metrics")
        assert shown(scene, STORED) == at_switch, "the page had counted what the sample after the switch tells"

        before = truth(scene, STORED)
        happen(scene, 2)
        pass_the_hour(scene)
        after_polls([scene], "metrics")
        counted = at_switch + (truth(scene, STORED) - before)
        assert shown(scene, STORED) == counted

        scene.server.faults.remove(fault)
        scene.reload()
        scene.wait_for(SOURCE, 1, source="native")
        after_polls([scene], "native")
        assert shown(scene, STORED) == counted
        happen(scene, 1)
        after_polls([scene], "native", "metrics")
        assert shown(scene, STORED)["delivery.attempt-start"] == counted["delivery.attempt-start"] + 3
