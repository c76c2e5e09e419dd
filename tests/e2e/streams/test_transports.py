"""The exporter as a process: the same mail seen over each transport, by polling, through cuts and through kill -9."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from exporter.simulator.common.live_hub import Ending
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, enterprise, outcomes, outcomes_by_domain, server_table

TRANSPORTS = ("websocket", "sse", "off", "auto")
HOSTS = ("ok", "defer", "reject", "busy", "nullmx", "grey", "nowhere", "refused", "full")
CONNECTED = "stalwart_exporter_stream_connected"


def watched(url: str, transport: str) -> str:
    """An entry that watches *url* over *transport*, and is called after it."""
    table = server_table(url, name=transport, every=2)
    return table.replace('transport = "off"', f'transport = "{transport}"')


@contextmanager
def watching_by(tmp_path: Path, server: StandIn, *transports: str) -> Iterator[dict[str, Scene]]:
    """One exporter that watches one server over each of *transports*."""
    with Exporter(tmp_path, config="".join(watched(server.url, transport) for transport in transports)) as exporter:
        scenes = {transport: Scene(server, exporter, transport) for transport in transports}
        follow(scenes)
        yield scenes


def follow(scenes: dict[str, Scene]) -> None:
    """Waits until everything is watched: from here on mail is counted."""
    for transport, scene in scenes.items():
        if transport == "off":
            scene.after_polls("traces", "native")
        else:
            for stream in ("traces", "metrics"):
                scene.wait_for(CONNECTED, 1, stream=stream)


def an_hour_of_mail(server: StandIn, scene: Scene, *, minutes: range, step: int = 1) -> None:
    """Mail to hosts of every temper, minute by minute."""
    for minute in minutes:
        for number in range(2):
            at = (minute * 4 + number) % len(HOSTS)
            scene.mail(f"u{minute % 7}@{HOSTS[at]}.test", f"v@{HOSTS[at - 1]}.test")
        server.advance(60 * step)


def agree(scenes: dict[str, Scene]) -> None:
    """Each of them shows what the server did."""
    server = next(iter(scenes.values())).server
    for scene in scenes.values():
        scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=outcomes(server))
        scene.wait_shown("stalwart_domain_deliveries_total", "domain", "outcome", wanted=outcomes_by_domain(server))
        for event in ("delivery.dsn-success", "delivery.dsn-perm-fail", "queue.rescheduled"):
            scene.wait_for(
                "stalwart_events_total",
                server.call(lambda world, e=event: world.ledger.events[e]),
                event=event,  # type: ignore[misc]
            )


def of(scene: Scene) -> Iterable[float]:
    """The deliveries that are shown."""
    return scene.shown("stalwart_deliveries_total", "outcome", "reason", "code").values()


class Cutter:
    """Ends all streams of a server again and again."""

    def __init__(self, server: StandIn, ending: Ending, seconds: float) -> None:
        self._server = server
        self._ending: Ending = ending
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.cut = 0

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            self.cut += self._server.call(lambda _: self._server.simulator.front.api.live.end(self._ending))

    def __enter__(self) -> Cutter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)


@pytest.mark.parametrize("has_websocket", [False, True], ids=["sse-server", "websocket-server"])
def test_the_same_hour_over_every_transport_and_by_polling_alone(tmp_path: Path, has_websocket: bool):
    """What is counted does not depend on how it came."""
    transports = TRANSPORTS if has_websocket else ("sse", "off", "auto")
    with (
        StandIn(enterprise(live_websocket=has_websocket)) as server,
        watching_by(tmp_path, server, *transports) as scenes,
    ):
        an_hour_of_mail(server, scenes["off"], minutes=range(60))

        agree(scenes)

        for transport, scene in scenes.items():
            spoken = "websocket" if has_websocket else "sse"
            if transport != "off":
                shown = scene.shown("stalwart_exporter_stream_transport", "stream", "transport")
                used = spoken if transport == "auto" else transport
                assert shown == {("metrics", used): 1, ("traces", used): 1}
            source = "native" if transport == "off" else "live"
            assert scene.shown("stalwart_exporter_metrics_source", "source") == {(source,): 1}


@pytest.mark.fault("streams", "streams are interrupted every few seconds (v0.15)")
def test_streams_that_are_cut_every_few_seconds_count_the_hour(tmp_path: Path):
    """Both transports end with the right counts although streams break in the middle of a message."""
    with (
        StandIn(enterprise(live_websocket=True)) as server,
        watching_by(tmp_path, server, "websocket", "sse") as scenes,
    ):
        with Cutter(server, "cut", 1.5) as cutter:
            an_hour_of_mail(server, scenes["sse"], minutes=range(60))
            wait_until(lambda: cutter.cut >= 8, what="the streams have been cut")
        follow(scenes)

        agree(scenes)

        for scene in scenes.values():
            assert (scene.value("stalwart_exporter_stream_reconnects_total", stream="traces") or 0) >= 1
            assert (scene.value("stalwart_exporter_stream_gap_seconds_total", stream="traces") or 0) > 0


@pytest.mark.fault("streams", "kill -9 in the middle of a stream")
def test_kill_dash_nine_in_the_middle_of_a_stream_loses_and_doubles_nothing(tmp_path: Path):
    """The next run continues from disk; no delivery is lost or counted twice."""
    with StandIn(enterprise(live_websocket=True, greeting_timeout_seconds=40.0)) as server:
        exporter = Exporter(
            tmp_path, config="".join(watched(server.url, transport) for transport in ("websocket", "sse"))
        ).start()
        try:
            scenes = {name: Scene(server, exporter, name) for name in ("websocket", "sse")}
            follow(scenes)
            for first in (0, 20, 40):
                scenes["sse"].mail("a@hang.test")
                an_hour_of_mail(server, scenes["sse"], minutes=range(first, first + 7))
                for scene in scenes.values():
                    some = 0.9 * sum(outcomes(server).values())
                    scene.wait(lambda scene=scene, some=some: sum(of(scene)) >= some, lambda: "most of it is counted")  # type: ignore[misc]
                # What happens from here on is on its way or missed when the exporter dies.
                scenes["sse"].mail("a@hang.test")
                an_hour_of_mail(server, scenes["sse"], minutes=range(first + 7, first + 14))
                exporter.kill()
                an_hour_of_mail(server, scenes["sse"], minutes=range(first + 14, first + 20))
                exporter.start()
                follow(scenes)
            agree(scenes)
        finally:
            exporter.stop()
