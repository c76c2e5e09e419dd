"""
Deliveries by destination, outcome and reply code: from traces where there are any, else from the log.

The tests share their servers: tallies go on from one to the next, and must agree after each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Profile, Reply, World
from exporter.simulator.world.profile import Edition
from tests.support.exporter import wait_until
from tests.support.standin import (
    Scene,
    after_polls,
    community,
    counting,
    enterprise,
    fleet,
    outcomes,
    outcomes_by_domain,
)
from tests.support.trail import kept

SOURCES = {
    "log-0.12": community("0.12.5"),
    "log-0.15": community("0.15.5"),
    "traces-0.12": enterprise("0.12.5"),
    "traces-0.15": enterprise("0.15.5"),
}
PATIENT = enterprise(greeting_timeout_seconds=300.0)
EVENT_OF_OUTCOME = {
    "delivered": "delivery.dsn-success",
    "permanent_failure": "delivery.dsn-perm-fail",
    "temporary_failure": "queue.rescheduled",
}
NO_SUCH_USER = ("permanent_failure", "unexpected_response", "550")
CAPABILITY = "stalwart_exporter_capability"
HOSTILE = 'no such user", code = 250, to = "victim@evil.test", details = "OK'


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """Servers of both shapes, with traces and without, and one that waits long for a silent host."""
    with fleet(tmp_path_factory.mktemp("servers"), {**SOURCES, "patient": PATIENT}) as scenes:
        counting(scenes.values())
        yield scenes


@pytest.fixture
def sources(servers: dict[str, Scene]) -> list[Scene]:
    """The servers of both shapes, with traces and without."""
    return [servers[name] for name in SOURCES]


def agree(*scenes: Scene) -> None:
    """The exporter shows the deliveries that the stand-ins made, and still does after another poll."""
    for scene in scenes:
        scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=outcomes(scene.server))
    after_polls(scenes, "logs", "native")
    for scene in scenes:
        shown = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        assert shown == outcomes(scene.server), scene.name
        assert kept(scene) == shown, scene.name
        shown = scene.shown("stalwart_domain_deliveries_total", "domain", "outcome")
        assert shown == outcomes_by_domain(scene.server), scene.name


def test_failures_that_leave_the_queue_are_counted_from_events(sources: list[Scene]):
    """Whatever became of each recipient is counted by outcome, reason, code and domain, as often as its event is."""
    for scene in sources:
        scene.server.call(lambda world: world.set_destination("slow.test", "defer"))
        for domain in ("ok", "reject", "refused", "busy", "nullmx", "nowhere", "defer", "full"):
            scene.mail(f"a@{domain}.test", f"policy@{domain}.test")
        scene.mail("a@reject.test", "b@ok.test", "c@slow.test", times=3)
        scene.mail("nobody@example.test", "bob@example.test")
        scene.server.advance(130)

    agree(*sources)

    for scene in sources:
        still_queued = scene.server.call(lambda world: world.queue.recipients_by_status())["perm_fail"]
        assert outcomes(scene.server)[NO_SUCH_USER] > still_queued, scene.name
        counted = scene.shown("stalwart_events_total", "event")
        shown = scene.shown("stalwart_deliveries_total", "outcome")
        assert shown == {(outcome,): counted[event,] for outcome, event in EVENT_OF_OUTCOME.items()}, scene.name


@pytest.mark.fault("protocol", "a remote server's reply imitates log fields")
def test_a_hostile_reply_moves_no_other_count(sources: list[Scene]):
    """The delivery is counted under its real domain and reply code."""

    def attack(world: World) -> None:
        world.set_destination("defer.test", "defer", reply=Reply(451, "4.7.1", HOSTILE))
        world.set_destination("slow.test", "defer", reply=Reply(451, "4.7.1", f"\n{HOSTILE}"))
        world.set_destination("reject.test", "reject", reply=Reply(550, "5.1.1", HOSTILE))
        world.set_destination("full.test", "too-big", reply=Reply(552, "5.3.4", f'{HOSTILE}", total = 1'))
        world.set_destination("busy.test", "busy", reply=Reply(421, "4.3.2", f"] }}, {HOSTILE}"))

    for scene in sources:
        scene.server.call(attack)
        for domain in ("defer", "reject", "full", "busy"):
            scene.mail(f"a@{domain}.test")
        scene.mail("a@defer.test", "b@reject.test", "c@full.test", "d@ok.test", "e@slow.test")

    agree(*sources)

    assert "evil" not in sources[0].page()


def test_bursts_between_two_polls_are_counted_whole(servers: dict[str, Scene]):
    """More traces than a list holds, and more lines than an answer usually does, lose nothing."""
    logged, traced = servers["log-0.15"], servers["traces-0.15"]

    logged.mail("a@ok.test", "b@nullmx.test", times=120)
    traced.mail("a@ok.test", times=600)

    agree(logged, traced)
    assert logged.value("stalwart_exporter_log_gaps_total") == 0


@pytest.mark.fault("server", "a long trace is stored late, under an early id")
def test_a_long_trace_that_appears_late_is_counted_once(servers: dict[str, Scene]):
    """The attempt is counted once, when its trace appears."""
    scene = servers["patient"]
    scene.mail("a@hang.test")
    scene.mail("a@ok.test", times=5)
    scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted={("delivered", "", "250"): 5})

    scene.server.advance(301)
    late, *others = sorted(scene.server.call(lambda world: world.traces.search(opening="delivery.attempt-start")))

    assert late < min(others)
    agree(scene)
    assert outcomes(scene.server)["temporary_failure", "connection_error", ""] == 1


@pytest.mark.fault("server", "the server restarts in the middle of a delivery")
def test_a_server_that_restarts_in_mid_delivery_is_counted_right(sources: list[Scene]):
    """An attempt that ends with the server's process is not counted; its retry is."""
    for scene in sources:
        scene.mail("a@hang.test", "b@ok.test")
        scene.mail("c@ok.test")
        scene.server.restart()
        scene.server.advance(30)

    agree(*sources)


@pytest.mark.fault("server", "the licence expires and is renewed")
def test_a_server_that_gains_or_loses_its_traces_counts_each_delivery_once(tmp_path: Path):
    """Deliveries are counted from the log instead, and from traces again later, without a jump."""
    profiles = {"gains": Profile(trace_store=True), "loses": Profile(edition="enterprise", trace_store=True)}
    with fleet(tmp_path, profiles) as scenes:
        counting(scenes.values())
        for scene in scenes.values():
            scene.mail("a@ok.test", "b@reject.test", times=4)
        agree(*scenes.values())

        restart_as(scenes["gains"], "enterprise")
        restart_as(scenes["loses"], "community")
        scenes["gains"].wait_for(CAPABILITY, 1, capability="traces", status="available")
        scenes["loses"].wait_for(CAPABILITY, 1, capability="traces", status="unsupported")
        after_polls(scenes.values(), "logs")
        # The handover is five seconds ahead, so that a server's clock may be ahead of ours.
        handover = time.time() + 6
        wait_until(lambda: time.time() > handover, what="the handover is past")
        for scene in scenes.values():
            scene.mail("a@ok.test", "b@reject.test", times=4)

        agree(*scenes.values())


def restart_as(scene: Scene, edition: Edition) -> None:
    """The server is down until the exporter has noticed, and comes back as another edition."""
    scene.server.stop_listening()
    scene.wait_for("stalwart_up", 0)
    scene.server.call(lambda world: world.upgrade(edition=edition))
    scene.server.start_listening()
