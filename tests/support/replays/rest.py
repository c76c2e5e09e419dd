"""
A plain HTTP server that answers as a recorded server did.

Nothing of the stand-in server is in it: rows of `exchanges.json` by identity and path, and the paging that the contract
describes worked out over the lists that were recorded whole.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.paths import RECORDINGS

IDENTITIES = {
    "watcher": ("watcher", "lab-watcher-secret"),
    "narrow": ("narrow", "lab-narrow-secret"),
    "prometheus": ("prometheus", "lab-prometheus-secret"),
}


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    at: float
    identity: str
    method: str
    path: str
    status: int


class Replay:
    """The recorded server."""

    def __init__(self, folder: Path) -> None:
        self.native = (folder / "native.txt").read_bytes()
        self.asked: list[Asked] = []
        self._rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for row in json.loads((folder / "exchanges.json").read_text()):
            self._rows.setdefault((row["as"], row["method"], row["path"]), row)

    def answer(self, identity: str, method: str, target: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        row = self._rows.get((identity, method, target)) or self._paged(identity, method, target)
        if row is None:
            missing = "/api/no/such/thing" if identity != "none" else "/api/queue/status"
            row = self._rows[("watcher" if identity != "none" else "none", "GET", missing)]
        if target == "/metrics/prometheus" and row["status"] == 200:
            body = self.native
        else:
            body = row["body"].encode() if isinstance(row["body"], str) else json.dumps(row["body"]).encode()
        return row["status"], row["headers"], body

    def _paged(self, identity: str, method: str, target: str) -> dict[str, Any] | None:
        url = urlsplit(target)
        query = {key: value for key, value in parse_qsl(url.query) if value}
        whole = f"{url.path}?values=1" if query.get("values") else url.path
        if url.path == "/api/logs":
            return self._log_page(identity, method, query)
        row = self._rows.get((identity, method, whole))
        if row is None or not isinstance(row["body"], dict) or "items" not in row["body"].get("data", {}):
            return row
        data = row["body"]["data"]
        items = list(data["items"])
        if url.path == "/api/queue/messages":
            ids = [item["id"] if isinstance(item, dict) else item for item in items]
            low, high = int(query.get("range-start", 0)), int(query.get("range-end", 2**64))
            items = [item for item, id_ in zip(items, ids, strict=True) if low <= id_ <= high]
        most = int(query.get("max-total", 0))
        items = items[:most] if most else items
        total = len(items)
        return {**row, "body": {"data": {**data, "items": _page(items, query, 0), "total": total}}}

    def _log_page(self, identity: str, method: str, query: dict[str, str]) -> dict[str, Any] | None:
        pages = ("/api/logs?limit=100", "/api/logs?limit=100&page=2")
        rows = [self._rows.get((identity, method, page)) for page in pages]
        if rows[0] is None or rows[1] is None:
            return rows[0]
        lines = [line for row in rows if row for line in row["body"]["data"]["items"]]
        found = _page(lines, query, 100)
        return {**rows[0], "body": {"data": {"items": found, "total": len(found) + 100}}}


def _page(items: list[Any], query: dict[str, str], default: int) -> list[Any]:
    limit = int(query.get("limit", default))
    if not limit:
        return items
    start = max(0, int(query.get("page", 1)) - 1) * limit
    return items[start : start + limit]


def _identity(header: str | None) -> str:
    if header is None:
        return "none"
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        name, _, secret = base64.b64decode(value).decode().partition(":")
        return next((who for who, pair in IDENTITIES.items() if pair == (name, secret)), "wrong")
    return "wrong"


@contextmanager
def replay(recording: str) -> Iterator[tuple[str, Replay]]:
    """Serves *recording*; its URL and the server itself."""
    server = Replay(RECORDINGS / recording)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            identity = _identity(self.headers.get("Authorization"))
            if identity == "wrong":
                status, headers, body = server.answer("wrong", "GET", "/api/queue/status")
            else:
                status, headers, body = server.answer(identity, self.command, self.path)
            server.asked.append(Asked(time.monotonic(), identity, self.command, self.path, status))
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}", server
    finally:
        http.shutdown()
        http.server_close()
        thread.join(5)
