"""A scrape beside clients that hold connections, memory or the password check, on the real process."""

from __future__ import annotations

import base64
import http.client
import time
from pathlib import Path

import bcrypt
import pytest

from tests.support.commands import running
from tests.support.crowd import crowd

SCRAPES = 10
HANG_SECONDS = 60.0
"""For all of them together: a single one took ten seconds where clients could hold every slot."""

COST = 14
"""Of the password's hash: one check then takes about a second."""

LOGIN = {"Authorization": "Basic " + base64.b64encode(b"prometheus:s3cret").decode()}


def get(port: int, path: str) -> int:
    """The status of one page, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
    try:
        connection.request("GET", path, headers=LOGIN)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def scrape_repeatedly(port: int) -> None:
    """Asks for metrics and health as Prometheus and a health check do."""
    deadline = time.monotonic() + HANG_SECONDS
    for _ in range(SCRAPES):
        assert (get(port, "/metrics"), get(port, "/-/healthy")) == (200, 200)
        assert time.monotonic() < deadline, "scrapes starve"


@pytest.mark.parametrize("descriptors", [None, 64], ids=["many-files", "64-files"])
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param("idle", 128, marks=pytest.mark.fault("web", "128 idle keep-alive connections")),
        pytest.param("slow", 300, marks=pytest.mark.fault("web", "300 clients that send a request byte by byte")),
        pytest.param("silent", 300, marks=pytest.mark.fault("web", "300 clients that connect and send nothing")),
        pytest.param("unread", 100, marks=pytest.mark.fault("web", "100 clients that never read their answers")),
    ],
)
def test_a_scrape_is_answered_beside_clients_that_hold_connections(tmp_path: Path, kind, count, descriptors):
    """Scrapes and health checks are answered meanwhile, with few file descriptors as well."""
    with running(tmp_path, descriptors=descriptors) as exporter, crowd(kind, exporter.port, count):
        scrape_repeatedly(exporter.port)


@pytest.mark.fault("web", "140 clients that try wrong passwords at bcrypt cost 14")
@pytest.mark.parametrize("descriptors", [None, 64], ids=["many-files", "64-files"])
def test_a_scrape_is_answered_beside_clients_that_guess_passwords(tmp_path: Path, descriptors):
    """A known login is answered without waiting for their checks, and health checks need no login."""
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{prometheus: '{bcrypt.hashpw(b's3cret', bcrypt.gensalt(COST)).decode()}'}}\n")

    with running(tmp_path, ("run", "--web.config.file", str(web)), descriptors=descriptors) as exporter:
        assert get(exporter.port, "/metrics") == 200

        with crowd("wrong-logins", exporter.port, 140):
            scrape_repeatedly(exporter.port)


def test_a_kept_connection_outlives_a_flood_of_slow_clients(tmp_path: Path):
    """A scraper's own keep-alive connection is not closed for clients that have not finished a request."""
    with running(tmp_path) as exporter:
        kept = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=HANG_SECONDS)
        kept.request("GET", "/metrics")
        kept.getresponse().read()
        socket = kept.sock

        with crowd("slow", exporter.port, 300):
            kept.request("GET", "/metrics")

            assert kept.getresponse().status == 200
            assert kept.sock is socket
        kept.close()
