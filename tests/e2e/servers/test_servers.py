"""Several servers and other generations: nobody waits for another, and credentials go only where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.simulator import RequestRecord
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import (
    QUEUE_PATH,
    community,
    enterprise,
    fleet,
    server_table,
    wait_good,
)

SESSION = b'{"capabilities":{"urn:ietf:params:jmap:core":{}},"accounts":{},"apiUrl":"/jmap/","state":"0"}'
NOT_FOUND = (
    b'{"type":"about:blank","status":404,"title":"Not Found",'
    b'"detail":"The requested resource does not exist on this server."}'
)
MINUTE = 60.0
MAX_REQUESTS = 12
MAX_READINGS = 2


@pytest.mark.fault("neighbours", "one server reads requests and never answers")
def test_a_server_that_hangs_holds_up_no_other(tmp_path: Path):
    """The other server's metrics keep updating, and the hanging one recovers."""
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
            status, body = (200, SESSION) if self.path == "/jmap/session" else (404, NOT_FOUND)
            if authorization:
                status, body = 401, b'{"title":"Unauthorized","status":401}'
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status == 200 else "application/problem+json")
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


@pytest.mark.fault("neighbours", "a server of another generation at the same address")
def test_a_newer_server_is_recognised_before_it_gets_credentials(tmp_path: Path):
    """It is recognised without credentials; paths of the old API never get the key, and one refusal stops requests."""
    with newer_server() as server, Exporter(tmp_path, config=server_table(server.url)) as exporter:
        wait_until(lambda: 'stalwart_up{server="mx1"} 0' in exporter.text(), what="the server is down")

        assert [path for _, path, _ in server.seen[:2]] == ["/api/queue/status", "/jmap/session"]
        assert not any(path.startswith(("/api/queue", "/api/logs", "/api/tel")) for path in server.with_credentials())
        assert len(server.with_credentials()) <= 1
        told = [str(event) for event in exporter.events()]
        assert any("v0.16" in text for text in told)
        assert any("v0.15" in text for text in told)


def begins_a_walk(request: RequestRecord) -> bool:
    """Whether a request reads the queue from its beginning, rather than from a cursor on."""
    return request.path == QUEUE_PATH and "range-start" not in parse_qs(urlsplit(request.target).query)


def test_an_idle_minute_costs_a_dozen_requests(tmp_path: Path):
    """With the default settings a server without traffic is asked little, and reads its queue twice."""
    profiles = {"log": community(), "old": community("0.12.5"), "traces": enterprise()}
    with fleet(tmp_path, profiles, every=None, streams="auto", max_requests_per_minute=55) as scenes:
        for scene in scenes.values():
            scene.wait_for("stalwart_exporter_collector_success", 1, collector="outgoing")
            # Accounts are read once per hour.
            scene.wait_for("stalwart_exporter_collector_success", 1, collector="accounts")
        began = time.time()
        wait_until(lambda: time.time() > began + MINUTE, what="a minute is past", seconds=2 * MINUTE)

        for name, scene in scenes.items():
            asked = [request for request in scene.server.requests if began <= request.time < began + MINUTE]
            assert 4 <= len(asked) <= MAX_REQUESTS, (name, [request.target for request in asked])
            assert len([request for request in asked if begins_a_walk(request)]) <= MAX_READINGS, name
