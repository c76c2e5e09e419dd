"""The stand-in's streams as programs read them that know nothing of us."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from exporter.simulator import StandIn, World
from tests.support.standin import WATCHER, asked, enterprise

METRICS, TRACES = "/api/telemetry/metrics/live?interval=1", "/api/telemetry/traces/live"
PATIENCE_SECONDS = 60.0


class Program:
    """A program that prints what it hears."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._heard = b""

    def wait_for(self, pattern: bytes) -> bytes:
        """Everything printed so far, once *pattern* is in it."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not re.search(pattern, self._heard, re.DOTALL):
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} never came: {self._heard[-500:]!r}"
            if select.select([self._process.stdout], [], [], left)[0]:
                piece = os.read(self._process.stdout.fileno(), 65_536)
                assert piece, f"it has ended: {self._heard[-500:]!r}"
                self._heard += piece
        return self._heard


@contextmanager
def running(*command: str) -> Iterator[Program]:
    """*command* while the block lasts; its input stays open and silent."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


@pytest.fixture(params=[False, True], ids=["sse-server", "websocket-server"])
def server(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in of either kind, fifty times as fast as a real one."""
    with StandIn(enterprise(live_websocket=request.param)) as standin:
        standin.call(lambda _: setattr(standin.simulator.front.api.live, "pace", 50.0))
        yield standin


def deliver(world: World) -> None:
    """One message arrives."""
    world.submit(["a@ok.test"])
    world.tick()


def test_curl_reads_both_streams(server: StandIn):
    """Frames come one by one as Server-Sent Events; a server that also speaks WebSocket still gives them."""
    curl = ("curl", "--silent", "--show-error", "--no-buffer", "--user", ":".join(WATCHER))

    with running(*curl, server.url + METRICS) as metrics, running(*curl, server.url + TRACES) as traces:
        frames = metrics.wait_for(rb"event: metrics\ndata: \[.*?\]\n\n.*event: metrics\ndata: \[.*?\]\n\n")
        traces.wait_for(rb'event: ping\ndata: \{"interval": ?\d+\}\n\n')
        server.call(deliver)
        events = traces.wait_for(rb'event: trace\ndata: \[[^\n]*"delivery.dsn-success"[^\n]*\]\n\n')

    assert frames.startswith(b"event: metrics\n")
    assert b"\r" not in frames + events


def test_a_websocket_client_reads_both_streams():
    """Each message is the JSON that a frame of the other transport carries, opened by a token in the address."""
    with StandIn(enterprise(live_websocket=True)) as server:
        server.call(lambda _: setattr(server.simulator.front.api.live, "pace", 50.0))
        metrics_token = _token(server, "metrics")
        tracing_token = _token(server, "tracing")
        base = server.url.replace("http", "ws", 1)
        client = (sys.executable, "-m", "websockets")

        with (
            running(*client, f"{base}{METRICS}&token={metrics_token}") as metrics,
            running(*client, f"{base}{TRACES}?token={tracing_token}") as traces,
        ):
            metrics.wait_for(rb'< \[.*"server.memory".*< \[')
            traces.wait_for(rb'< \{"interval": ?\d+\}')
            server.call(deliver)
            traces.wait_for(rb'< \[.*"delivery.dsn-success"')

        statuses = {request.status for request in asked(server, TRACES) + asked(server, METRICS.partition("?")[0])}

    assert statuses == {101}


def _token(server: StandIn, kind: str) -> str:
    url = f"{server.url}/api/telemetry/live/{kind}-token"
    said = subprocess.run(
        ["curl", "--silent", "--user", ":".join(WATCHER), url],
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    found = re.search(rb'"data": ?"([^"]+)"', said.stdout)
    assert found is not None
    return quote(found[1], safe="")
