"""Restarts of either side, kill -9 included: every delivery counted once, and nothing asked that is not allowed."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from exporter.simulator import full_day
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

ALLOWED = re.compile(
    r"GET /(api/queue/(messages|status|reports)|api/logs|api/principal|api/reports/(dmarc|tls|arf)(/[\d_]+)?"
    r"|api/telemetry/(metrics|traces|trace/[\d,]+)|metrics/prometheus)"
)
KILLS = 6
READINGS = ("/api/logs", "/api/telemetry/trace/")
HOUR = 3600.0


def kill_while_reading(scene: Scene, rng: random.Random) -> None:
    """Kills the exporter some milliseconds after it has asked for something that it will count."""
    seen = len(scene.server.requests)
    deadline = time.monotonic() + 20
    tick = threading.Event()
    while not any(request.path.startswith(READINGS) for request in scene.server.requests[seen:]):
        assert time.monotonic() < deadline, "nothing is read"
        tick.wait(0.001)
    # Which write it hits is left to chance: from the answer's arrival to after the commit.
    tick.wait(rng.uniform(0, 0.03))
    scene.exporter.kill()


def wait_counted(scene: Scene) -> None:
    """Waits until counters and trail have what the server did; it goes on trying what was deferred."""
    truth, by_domain = partial(outcomes, scene.server), partial(outcomes_by_domain, scene.server)
    scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=truth)
    scene.wait(lambda: kept(scene) == truth(), lambda: f"{scene.name}: kept {kept(scene)} for {truth()}")
    scene.wait_shown("stalwart_domain_deliveries_total", "domain", "outcome", wanted=by_domain)


@pytest.mark.fault("process", "kill -9 at random moments")
def test_killed_at_any_moment_it_counts_each_delivery_once(tmp_path: Path):
    """Counters and watermarks on disk are consistent, and each delivery is counted once."""
    rng = random.Random(11)  # noqa: S311 - a choice of moments, not a secret
    profiles = {"log": community(), "traces": enterprise(), "old": community("0.12.5")}
    with fleet(tmp_path, profiles) as scenes:
        counting(scenes.values())
        victims = list(scenes.values())
        for number in range(KILLS):
            for scene in victims:
                scene.mail("a@ok.test", "b@reject.test", times=rng.randint(1, 8))
                scene.mail("c@defer.test")
            kill_while_reading(victims[number % len(victims)], rng)
            for scene in victims:
                scene.mail("a@ok.test", "b@busy.test", times=rng.randint(1, 4))
            scene.exporter.start()
        for scene in victims:
            wait_counted(scene)
        after_polls(victims, "logs")

        for scene in victims:
            wait_counted(scene)


def test_a_whole_day_with_restarts_does_no_harm_and_adds_up(tmp_path: Path):
    """Backlog, failures, a paused queue, restarts of both sides: only allowed requests, and the numbers are right."""
    profiles = {"log": community(), "traces": enterprise("0.12.5")}
    with fleet(tmp_path, profiles, time_stands_still=True) as scenes:
        counting(scenes.values())
        for scene in scenes.values():
            scene.server.call(lambda world: full_day().begin(world))
        for hour in range(24):
            for scene in scenes.values():
                scene.server.advance(HOUR)
                if hour in (5, 13):
                    # What a server counted since it was last asked dies with it, so it is asked first.
                    after_polls([scene], "native", "logs")
                    scene.server.restart()
            if hour in (9, 20):
                scene.exporter.kill() if hour == 9 else scene.exporter.stop()
                scene.exporter.start()
            if hour % 2 == 1:
                after_polls(scenes.values(), "logs")
        for scene in scenes.values():
            wanted = by_outcome(outcomes(scene.server))
            scene.wait_shown("stalwart_deliveries_total", "outcome", wanted=wanted)
        after_polls(scenes.values(), "logs", "native")

        for name, scene in scenes.items():
            assert scene.server.harm_done == []
            strange = [r for r in scene.server.requests if not ALLOWED.fullmatch(f"{r.method} {r.path}")]
            assert strange == [], name
            answers = Counter(r.status for r in scene.server.requests if r.scheme != "none")
            assert answers.keys() <= {200, 404, None}, name
            shown = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
            truth = outcomes(scene.server)
            assert final(shown) == final(truth), name
            assert by_outcome(shown) == by_outcome(truth), name
            events = scene.server.call(lambda world: world.ledger.events.copy())
            for event in ("delivery.dsn-success", "delivery.dsn-perm-fail", "queue.rescheduled"):
                assert scene.value("stalwart_events_total", event=event) == events[event], (name, event)


def final(shown: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """What became of recipients for good."""
    return {key: count for key, count in shown.items() if key[0] != "temporary_failure"}


def by_outcome(shown: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """The same by outcome alone."""
    totals: Counter[tuple[str, ...]] = Counter()
    for (outcome, *_), count in shown.items():
        totals[outcome,] += int(count)
    return dict(totals)
