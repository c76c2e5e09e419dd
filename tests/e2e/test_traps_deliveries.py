"""Deliveries by destination, outcome and reply code: from traces where there are any, else from the log."""

from __future__ import annotations

import time
from pathlib import Path

from exporter.simulator import Profile, Reply, World
from exporter.simulator.profile import Edition
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
    watching,
)

SOURCES = {
    "log-0.12": community("0.12.5"),
    "log-0.15": community("0.15.5"),
    "traces-0.12": enterprise("0.12.5"),
    "traces-0.15": enterprise("0.15.5"),
}
EVENT_OF_OUTCOME = {
    "delivered": "delivery.dsn-success",
    "permanent_failure": "delivery.dsn-perm-fail",
    "temporary_failure": "queue.rescheduled",
}
CAPABILITY = "stalwart_exporter_capability"
HOSTILE = 'no such user", code = 250, to = "victim@evil.test", details = "OK'


def agree(*scenes: Scene) -> None:
    """The exporter shows the deliveries that the stand-ins made, and still does after another poll."""
    for scene in scenes:
        scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=outcomes(scene.server))
    after_polls(scenes, "logs", "native")
    for scene in scenes:
        shown = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        assert shown == outcomes(scene.server), scene.name
        shown = scene.shown("stalwart_domain_deliveries_total", "domain", "outcome")
        assert shown == outcomes_by_domain(scene.server), scene.name


def test_failures_that_leave_the_queue_are_counted_from_events(tmp_path: Path):
    """Whatever became of each recipient is counted by outcome, reason, code and domain, as often as its event is."""
    with fleet(tmp_path, SOURCES) as scenes:
        counting(scenes.values())
        for scene in scenes.values():
            scene.server.call(lambda world: world.set_destination("slow.test", "defer"))
            for domain in ("ok", "reject", "refused", "busy", "nullmx", "nowhere", "defer", "full"):
                scene.mail(f"a@{domain}.test", f"policy@{domain}.test")
            scene.mail("a@reject.test", "b@ok.test", "c@slow.test", times=3)
            scene.mail("nobody@example.test", "bob@example.test")
            scene.server.advance(130)

        agree(*scenes.values())

        for scene in scenes.values():
            assert outcomes(scene.server)["permanent_failure", "unexpected_response", "550"] == 5
            assert scene.server.call(lambda world: world.queue.recipients_by_status()).get("perm_fail") == 3
            counted = scene.shown("stalwart_events_total", "event")
            shown = scene.shown("stalwart_deliveries_total", "outcome")
            assert shown == {(outcome,): counted[event,] for outcome, event in EVENT_OF_OUTCOME.items()}, scene.name


def test_a_hostile_reply_moves_no_other_count(tmp_path: Path):
    """A remote server whose reply imitates our fields is counted under its own domain and code."""

    def attack(world: World) -> None:
        world.set_destination("defer.test", "defer", reply=Reply(451, "4.7.1", HOSTILE))
        world.set_destination("slow.test", "defer", reply=Reply(451, "4.7.1", f"\n{HOSTILE}"))
        world.set_destination("reject.test", "reject", reply=Reply(550, "5.1.1", HOSTILE))
        world.set_destination("full.test", "too-big", reply=Reply(552, "5.3.4", f'{HOSTILE}", total = 1'))
        world.set_destination("busy.test", "busy", reply=Reply(421, "4.3.2", f"] }}, {HOSTILE}"))

    with fleet(tmp_path, SOURCES) as scenes:
        counting(scenes.values())
        for scene in scenes.values():
            scene.server.call(attack)
            for domain in ("defer", "reject", "full", "busy"):
                scene.mail(f"a@{domain}.test")
            scene.mail("a@defer.test", "b@reject.test", "c@full.test", "d@ok.test", "e@slow.test")

        agree(*scenes.values())

        assert "evil" not in scene.page()


def test_a_long_trace_that_appears_late_is_counted_once(tmp_path: Path):
    """An attempt that began before others and ended after them is counted when it ends, and not again."""
    with watching(tmp_path, enterprise(greeting_timeout_seconds=300.0)) as scene:
        counting([scene])
        scene.mail("a@hang.test")
        scene.mail("a@ok.test", times=5)
        scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted={("delivered", "", "250"): 5})

        scene.server.advance(301)
        late, *others = sorted(scene.server.call(lambda world: world.traces.search(opening="delivery.attempt-start")))

        assert late < min(others)
        agree(scene)
        assert outcomes(scene.server)["temporary_failure", "connection_error", ""] == 1


def test_more_traces_than_one_list_holds_are_all_counted(tmp_path: Path):
    """A burst between two polls that is longer than a page of ids loses nothing."""
    with watching(tmp_path, enterprise()) as scene:
        counting([scene])

        scene.mail("a@ok.test", times=600)

        agree(scene)


def test_long_bursts_in_the_log_are_all_counted(tmp_path: Path):
    """More lines between two polls than one answer usually holds lose nothing."""
    with watching(tmp_path, community()) as scene:
        counting([scene])

        scene.mail("a@ok.test", "b@reject.test", times=150)

        agree(scene)
        assert scene.value("stalwart_exporter_log_gaps_total") == 0


def test_a_server_that_gains_or_loses_its_traces_counts_each_delivery_once(tmp_path: Path):
    """When the other source of deliveries takes over, the tally goes on without a jump."""
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
        # The handover is five seconds ahead of the next poll, so that a server's clock may be ahead of ours.
        handover = time.time() + 7
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
