"""The counters of a server that prints them under wrong names, on the running exporter."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.stalwart.events.names import STORED_EVENTS
from tests.support.standin import Scene, enterprise, watching

DEFECTIVE, REPAIRED = "0.16.5", "0.16.18"
HOUR = 3600
EVENTS_TOTAL = "stalwart_events_total"
SOURCE = "stalwart_exporter_metrics_source"
QUEUED = "queue.authenticated-message-queued"


def events(scene: Scene) -> dict[tuple[str, ...], float]:
    """The counters that are shown and not zero."""
    return scene.shown(EVENTS_TOTAL, "event")


@pytest.mark.parametrize("source", ["live", "native"])
def test_stored_metrics_feed_the_counters_until_the_server_is_repaired(tmp_path: Path, source: str):
    """Right names from the hourly samples, the rest from the other exit; after the upgrade both, without a jump."""
    streams = "auto" if source == "live" else "off"
    with watching(tmp_path, enterprise(DEFECTIVE), time_stands_still=True, streams=streams) as scene:
        scene.wait_for("stalwart_exporter_capability", 1, capability="event_counters", status="unsupported")
        scene.after_polls("metrics")
        for hour in (1, 2):
            scene.mail("a@ok.test", "b@reject.test", times=3)
            scene.server.call(lambda world: world.log_in("alice", succeeds=False, tries=4))
            scene.server.advance(HOUR)
            scene.wait_for(EVENTS_TOTAL, 3 * hour, event=QUEUED)
            scene.wait_for(EVENTS_TOTAL, 4 * hour, event="auth.failed")

        assert {name for (name,) in events(scene)} <= STORED_EVENTS
        assert scene.shown(SOURCE, "source") == {("stored",): 1}
        assert (scene.value("stalwart_server_memory_bytes") or 0) > 0
        scene.wait_for("stalwart_delivery_duration_seconds_count", lambda count: count > 0)
        before = events(scene)

        scene.server.upgrade(REPAIRED)
        if source == "native":
            # A restart between two readings of the page is noticed within the hour, or at a reload.
            scene.reload()
        scene.wait_for(SOURCE, 1, source=source)
        rose = {key: now - before.get(key, 0) for key, now in events(scene).items() if key in before}
        assert not [key for key, by in rose.items() if by and not key[0].startswith("http.")], rose
        assert events(scene)[(QUEUED,)] == 6
        assert events(scene)[("auth.failed",)] == 8

        scene.mail("a@ok.test", times=2)
        scene.server.advance(2 * HOUR)
        scene.after_polls("metrics")
        scene.wait_for(EVENTS_TOTAL, 8, event=QUEUED)
        scene.wait_for("stalwart_exporter_capability", 1, capability="event_counters", status="available")
        assert events(scene)[("auth.failed",)] == 8
