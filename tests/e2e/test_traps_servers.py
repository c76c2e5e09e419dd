"""Several servers and other generations: nobody waits for another, and credentials go only where they belong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.exporter import Exporter, wait_until
from tests.support.standin import (
    QUEUE_PATH,
    Scene,
    community,
    enterprise,
    fleet,
    server_table,
    wait_good,
)

SESSION = b'{"capabilities":{"urn:ietf:params:jmap:core":{}},"accounts":{},"apiUrl":"/jmap/","state":"0"}'
MOST_REQUESTS_A_MINUTE = 12
MOST_READINGS_A_MINUTE = 2


def test_a_server_that_hangs_holds_up_no_other(tmp_path: Path):
    """While one server reads requests and answers none, the other's numbers keep moving; later it is back itself."""
    with fleet(tmp_path, {"hung": community(), "well": community()}, request_timeout=1.5) as scenes:
        hung, well = scenes["hung"], scenes["well"]
        wait_good(scenes.values(), "queue", "logs")

        hung.server.hang()
        hung.wait(lambda: hung.failures("queue", "timeout") > 0, lambda: "the hung server is not seen to hang")
        for waiting in (1, 2, 3):
            well.mail("a@defer.test")
            well.wait_for("stalwart_queue_messages", waiting)

        hung.wait_for("stalwart_up", 0)
        assert well.value("stalwart_up") == 1
        assert well.shown("stalwart_exporter_collector_failures_total", "collector") == {}
        hung.server.resume()
        hung.wait_for("stalwart_up", 1)
        hung.wait_for("stalwart_exporter_collector_success", 1, collector="queue")


@dataclass
class NewerServer:
    """What a server of v0.16 says to a key that it does not know; the headers and paths that it saw."""

    url: str
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def with_credentials(self) -> list[str]:
        """The paths that were asked for with credentials."""
        return [path for _, path, authorization in self.seen if authorization]


@contextmanager
def newer_server() -> Iterator[NewerServer]:
    """A server of v0.16, as far as it matters before somebody has logged in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            server.seen.append((self.command, self.path, authorization))
            status, body = (200, SESSION) if self.path == "/jmap/session" else (404, b"{}")
            if authorization:
                status, body = 401, b'{"title":"Unauthorized","status":401}'
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = NewerServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join(5)


def test_a_newer_server_is_recognised_before_it_gets_credentials(tmp_path: Path):
    """It is known by answers to nobody in particular; the old API's paths never see the key, and a refusal ends it."""
    with newer_server() as server, Exporter(tmp_path, config=server_table(server.url)) as exporter:
        wait_until(lambda: 'stalwart_up{server="mx1"} 0' in exporter.text(), what="the server is down")

        assert [path for _, path, _ in server.seen[:2]] == ["/api/queue/status", "/jmap/session"]
        assert not any(path.startswith(("/api/queue", "/api/logs", "/api/tel")) for path in server.with_credentials())
        assert len(server.with_credentials()) <= 1
        told = [str(event) for event in exporter.events()]
        assert any("v0.16" in text for text in told)
        assert any("v0.15" in text for text in told)


def readings(scene: Scene) -> list[str]:
    """The readings of the queue that began anew, rather than went on from a cursor."""
    targets = [r.target for r in scene.server.requests if r.path == QUEUE_PATH]
    return [target for target in targets if "range-start" not in parse_qs(urlsplit(target).query)]


@pytest.mark.parametrize("queued", [0], ids=["idle"])
def test_an_idle_minute_costs_little(tmp_path: Path, queued: int):
    """With the default intervals a server without traffic gets a dozen requests a minute and two queue readings."""
    profiles = {"log": community(), "old": community("0.12.5"), "traces": enterprise()}
    with fleet(tmp_path, profiles, every=None, max_requests_per_minute=55) as scenes:
        for scene in scenes.values():
            scene.wait_for("stalwart_exporter_collector_success", 1, collector="outgoing")
        begin = {name: (len(scene.server.requests), len(readings(scene))) for name, scene in scenes.items()}
        with ThreadPoolExecutor(1) as pool:
            pool.submit(threading.Event().wait, 60).result()

        for name, scene in scenes.items():
            asked = [r.target for r in scene.server.requests[begin[name][0] :]]
            assert len(asked) <= MOST_REQUESTS_A_MINUTE, (name, asked)
            assert len(readings(scene)) - begin[name][1] <= MOST_READINGS_A_MINUTE, (name, asked)
            assert len(asked) >= 4, name
