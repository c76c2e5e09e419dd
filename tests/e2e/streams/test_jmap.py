"""The exporter as a process on a server of v0.16: the same hour over the stream, by polling, and through cuts."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.e2e.streams.test_transports import Cutter, agree, an_hour_of_mail, follow, watching_by
from tests.support.exporter import wait_until
from tests.support.standin import asked, enterprise

JMAP = "0.16.18"


def test_the_same_hour_over_the_stream_and_by_polling_alone(tmp_path: Path):
    """What is counted does not depend on how it came, and no handshake is wasted on a server without WebSockets."""
    with StandIn(enterprise(JMAP)) as server, watching_by(tmp_path, server, "sse", "off", "auto") as scenes:
        an_hour_of_mail(server, scenes["off"], minutes=range(60))

        agree(scenes)

        for transport, scene in scenes.items():
            source = "native" if transport == "off" else "live"
            assert scene.shown("stalwart_exporter_metrics_source", "source") == {(source,): 1}
            if transport != "off":
                shown = scene.shown("stalwart_exporter_stream_transport", "stream", "transport")
                assert shown == {("metrics", "sse"): 1, ("traces", "sse"): 1}
        opened = sum(
            (scene.value("stalwart_exporter_stream_reconnects_total", stream="metrics") or 0) + 1
            for transport, scene in scenes.items()
            if transport != "off"
        )
        assert len(asked(server, "/api/live/metrics")) == opened
        assert not server.harm_done


@pytest.mark.fault("streams", "streams are interrupted every few seconds (v0.16)")
def test_streams_that_are_cut_every_few_seconds_count_the_hour(tmp_path: Path):
    """Stream and stored traces end with the right counts although streams break in the middle of a message."""
    with StandIn(enterprise(JMAP)) as server, watching_by(tmp_path, server, "sse") as scenes:
        with Cutter(server, "cut", 1.5) as cutter:
            an_hour_of_mail(server, scenes["sse"], minutes=range(60))
            wait_until(lambda: cutter.cut >= 8, what="the streams have been cut")
        follow(scenes)

        agree(scenes)
