"""
The slowest scrape beside a hundred bad clients of each kind, against half a second; also with 64 file descriptors.

Each scrape is a connection of its own, as after a connection was closed for others. Passwords have bcrypt cost 14.
"""

from __future__ import annotations

import base64
import http.client
import tempfile
import time
from pathlib import Path

import bcrypt

from benchmarks.rows import Row, show
from tests.support.commands import running
from tests.support.crowd import BEHAVIOURS, crowd

CLIENTS = 100
SCRAPES = 40
PAUSE_SECONDS = 0.1
LIMIT_MS = 500.0
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"prometheus:s3cret").decode()}


def scrape_ms(port: int) -> float:
    """Milliseconds of one scrape, connection included."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics", headers=LOGIN)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    return (time.perf_counter() - started) * 1000


def slowest_ms(folder: Path, kind: str, descriptors: int | None) -> float:
    """The slowest of the scrapes beside a crowd."""
    arguments = ["run"]
    if kind == "wrong-logins":
        web = folder / "web.yml"
        hashed = bcrypt.hashpw(b"s3cret", bcrypt.gensalt(14)).decode()
        web.write_text(f"basic_auth_users: {{prometheus: '{hashed}'}}\n")
        arguments += ["--web.config.file", str(web)]
    with running(folder, arguments, descriptors=descriptors) as exporter:
        scrape_ms(exporter.port)
        with crowd(kind, exporter.port, CLIENTS):
            times = []
            for _ in range(SCRAPES):
                times.append(scrape_ms(exporter.port))
                time.sleep(PAUSE_SECONDS)
    return max(times)


def run() -> list[Row]:
    """Every kind of client, with many and with few files."""
    rows = []
    for kind in BEHAVIOURS:
        for descriptors in (None, 64):
            with tempfile.TemporaryDirectory() as folder:
                slowest = slowest_ms(Path(folder), kind, descriptors)
            files = "" if descriptors is None else f", {descriptors} descriptors"
            name = f"slowest scrape beside {CLIENTS} {kind} clients{files}"
            rows.append(Row(name=name, ours=slowest, peer=LIMIT_MS, unit="ms", peer_name="half a second", limit=1.0))
    return rows


if __name__ == "__main__":
    raise SystemExit(0 if show(run()) else 1)
