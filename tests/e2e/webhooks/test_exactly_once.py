"""The stand-in posts like a real server, with all its faults; what is counted equals what happened there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.simulator import Profile, StandIn
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, community, counting, outcomes, server_table
from tests.support.webhooks import KEY, PATH, TABLE

VERSIONS = ("0.15.5", "0.16.18")
"""One release of each scheme of event ids."""

DELIVERIES = "stalwart_deliveries_total"
LABELS = ("outcome", "reason", "code")
BY_OUTCOME = ("outcome",)
"""Which of two failures was the last cannot be told if the events of a second are in any order."""

RECIPIENTS = ("u@ok.test", "u@defer.test", "u@reject.test", "u@refused.test", "bob@example.test", "u@nxdomain.test")


@contextmanager
def posting(directory: Path, profile: Profile, *, logs: float = 1, **hook: object) -> Iterator[Scene]:
    """An exporter and a server that posts to it, beside the pages, so that a restart keeps the port."""
    with StandIn(profile, ticking=True) as server:
        table = server_table(server.url, intervals={"logs": logs})
        with Exporter(directory, config=table + TABLE) as exporter:
            server.add_webhook(f"http://127.0.0.1:{exporter.port}{PATH}", **{"key": KEY, "throttle": 0.2, **hook})
            scene = Scene(server, exporter)
            if profile.log_files:
                counting([scene])
            yield scene


def all_posted(scene: Scene) -> bool:
    """Whether the server has nothing left to post."""
    state = scene.server.webhook_state()
    return bool(state["waiting"] == state["held"] == 0)


def settle(scene: Scene, *, is_posted: bool = True, labels: Sequence[str] = LABELS) -> None:
    """Waits until the exporter shows what has happened by *labels*, while deliveries are tried again."""
    scene.server.call(lambda world: world.raise_event("server.licensing"))

    def wrong() -> dict[tuple[str, ...], tuple[float, float]]:
        truth: Counter[tuple[str, ...]] = Counter()
        for key, number in outcomes(scene.server).items():
            truth[key[: len(labels)]] += number
        shown = Counter(scene.shown(DELIVERIES, *labels))
        return {key: (shown[key], truth[key]) for key in shown | truth if shown[key] != truth[key]}

    scene.wait(lambda: (not is_posted or all_posted(scene)) and not wrong(), lambda: f"shown and true: {wrong()}")


@pytest.mark.fault("network", "answers to webhook posts are lost, and events arrive late")
@pytest.mark.parametrize("version", VERSIONS)
def test_posts_alone_count_each_delivery_once(tmp_path: Path, version: str):
    """Lost answers, cut connections, late and disordered events and kills of the exporter change nothing."""
    profile = community(version, log_files=False)
    rng = random.Random(version)  # noqa: S311 - a repeatable day
    with posting(tmp_path, profile, late_share=0.05, disorder=True) as scene:
        for turn in range(6):
            scene.mail(*rng.sample(RECIPIENTS, 3), times=rng.randint(1, 10))
            if turn % 4 == 1:
                scene.server.lose_answers(rng.randint(1, 2))
            elif turn % 4 == 2:
                scene.server.lose_answers(rng.randint(1, 3), hang_up=True)
            elif turn % 4 == 3:
                scene.exporter.kill()
                scene.mail(*rng.sample(RECIPIENTS, 3), times=5)
                scene.exporter.start()
            scene.server.advance(rng.choice([0, 1, 130]))

        settle(scene, labels=BY_OUTCOME)

        state = scene.server.webhook_state()
        assert state["failed"] > 0
        assert scene.value("stalwart_exporter_webhook_repeated_events_total") is not None


@pytest.mark.fault("server", "the server is killed with events that it has not posted")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_killed_server_did_not_post_is_counted_from_the_log(tmp_path: Path, version: str):
    """Kills of both sides while mail flows leave neither a gap nor a double."""
    rng = random.Random(version)  # noqa: S311 - a repeatable day
    with posting(tmp_path, community(version), late_share=0.05, disorder=True) as scene:
        for turn in range(5):
            scene.mail(*rng.sample(RECIPIENTS, 3), times=rng.randint(1, 8))
            if turn in (1, 4):
                scene.server.restart()
            elif turn == 2:
                scene.exporter.kill()
                scene.mail(*rng.sample(RECIPIENTS, 2), times=3)
                scene.server.restart()
                scene.exporter.start()
            scene.server.advance(rng.choice([0, 1, 130]))

        settle(scene, labels=BY_OUTCOME)

        assert scene.server.webhook_state()["lost"] > 0
        assert (scene.value("stalwart_exporter_webhook_holes_total", cause="server_start") or 0) > 0


@pytest.mark.fault("configuration", "a webhook is added and removed while mail flows")
def test_a_webhook_takes_over_from_the_log_and_gives_back(tmp_path: Path):
    """Configured and removed by a reload while mail flows, each delivery counts once."""
    with StandIn(community("0.15.5"), ticking=True) as server:
        table = server_table(server.url)
        with Exporter(tmp_path, config=table) as exporter:
            scene = Scene(server, exporter)
            counting([scene])
            server.add_webhook(f"http://127.0.0.1:{exporter.port}{PATH}", key=KEY, throttle=0.2)
            scene.mail("u@ok.test")
            scene.after_polls("logs")

            for config in (table + TABLE, table, table + TABLE):
                scene.mail(*RECIPIENTS, times=5)
                exporter.config_path.write_text(config)
                scene.reload()
                scene.mail(*RECIPIENTS, times=5)

            settle(scene)


@pytest.mark.fault("network", "the server cannot post for longer than it keeps events")
def test_events_that_were_dropped_as_too_old_are_counted_from_the_log(tmp_path: Path):
    """While the receiver is away for longer than events are kept, the log has them."""
    with posting(tmp_path, community("0.16.18"), discard_after=1.0, throttle=0.1) as scene:
        scene.after_polls("logs")
        scene.exporter.kill()
        scene.mail(*RECIPIENTS, times=10)
        wait_until(lambda: scene.server.webhook_state().get("discarded", 0) > 0, what="events are dropped")
        scene.exporter.start()
        scene.mail(*RECIPIENTS, times=5)

        settle(scene)


@pytest.mark.fault("credentials", "the server posts events without a signature")
def test_unsigned_posts_are_refused_until_the_server_signs(tmp_path: Path):
    """A server without a key keeps its events; the log is counted meanwhile."""
    with posting(tmp_path, community("0.15.5"), key=None, throttle=0.1) as scene:
        scene.after_polls("logs")
        scene.mail(*RECIPIENTS)
        scene.wait_for("stalwart_exporter_webhook_posts_total", lambda n: n > 1, result="unsigned")
        settle(scene, is_posted=False)
        assert scene.value("stalwart_exporter_capability", capability="webhooks", status="not_configured") == 1

        url = f"http://127.0.0.1:{scene.exporter.port}{PATH}"
        scene.server.add_webhook(url, "another", key=KEY, throttle=0.1)
        scene.mail(*RECIPIENTS)

        scene.wait_for("stalwart_exporter_capability", 1, capability="webhooks", status="available")
        settle(scene, is_posted=False)
