"""Serving over HTTP: whatever answers requests, on a port of the loopback address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Server(Protocol):
    """Whatever answers requests."""

    def respond(self, login: str | None, method: str, path: str, body: bytes) -> Response: ...


def document(body: Any) -> Response:
    """A JSON answer."""
    return 200, {"content-type": "application/json; charset=utf-8"}, json.dumps(body).encode()


def problem(body: Mapping[str, Any]) -> Response:
    """An answer at the level of HTTP."""
    return int(body["status"]), {"content-type": "application/problem+json"}, json.dumps(body).encode()


@contextmanager
def serving(server: Server, *, port: int = 0) -> Iterator[str]:
    """Serves *server*; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, answer = server.respond(self.headers.get("Authorization"), self.command, self.path, body)
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join(5)
