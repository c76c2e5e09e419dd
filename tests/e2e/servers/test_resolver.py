"""A resolver that does not answer: no other server waits for it, nor does the end of the process."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, after_polls, community, server_table, wait_good

SUCCESS = "stalwart_exporter_collector_success"
SILENT = "silent.test"


class NameServer:
    """
    A DNS server on a loopback address, which answers 127.0.0.1 for every name until it falls silent.

    Attributes:
        address: Where it listens, on port 53.
        asked: How many questions have come.
        silent: Whether it leaves questions unanswered.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.silent = False
        self._closing = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.2)
        self.address = self._bind()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering for good."""
        self._closing = True
        self._thread.join()
        self._socket.close()

    def _bind(self) -> str:
        for last in range(2, 250):
            address = f"127.53.{os.getpid() % 250}.{last}"
            try:
                self._socket.bind((address, 53))
            except OSError:
                continue
            return address
        raise OSError("no loopback address with a free port 53")

    def _serve(self) -> None:
        while not self._closing:
            try:
                question, peer = self._socket.recvfrom(1024)
            except TimeoutError:
                continue
            self.asked += 1
            if not self.silent:
                self._socket.sendto(_answer(question), peer)


def _answer(question: bytes) -> bytes:
    end = question.index(b"\0", 12) + 5
    is_ipv4 = question[end - 4 : end - 2] == b"\0\1"
    head = question[:2] + struct.pack("!5H", 0x8180, 1, int(is_ipv4), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")
    return head + question[12:end] + (record if is_ipv4 else b"")


@contextmanager
def name_server() -> Iterator[NameServer]:
    """A name server while a test runs."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.fail("needs root and `unshare` (package util-linux): a resolv.conf of its own and port 53 on loopback")
    server = NameServer()
    try:
        yield server
    finally:
        server.close()


def own_resolver(directory: Path, server: NameServer) -> list[str]:
    """The command that runs another in a mount namespace in which *server* is the only name server."""
    resolv = directory / "resolv.conf"
    resolv.write_text(f"nameserver {server.address}\noptions timeout:20 attempts:2\n")
    script = f'mount --bind "{resolv}" /etc/resolv.conf && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]


def named_url(server: StandIn, host: str = SILENT) -> str:
    """The address of *server* by a name."""
    return server.url.replace("127.0.0.1", host)


@pytest.mark.fault("network", "the resolver does not answer for two servers")
def test_a_silent_resolver_blinds_no_other_server(tmp_path: Path):
    """A server that needs no lookup is polled, the two fail as `timeout`, and SIGTERM ends the process at once."""
    with name_server() as names, StandIn(community()) as good:
        names.silent = True
        config = server_table(named_url(good, "localhost"), name="good") + "".join(
            server_table(f"http://{name}.test:1", name=name, native=False, every=10, max_requests_per_minute=55)
            for name in ("one", "two", "three", "four", "five", "six")
        )
        with Exporter(tmp_path, config=config, prefix=own_resolver(tmp_path, names)) as exporter:
            scene = Scene(good, exporter, "good")
            wait_until(lambda: names.asked >= 6, what="all names are asked for")
            wait_good([scene], "queue")

            after_polls([scene], "queue", "logs")
            exporter.wait_for("stalwart_up", 0, server="six")

            assert exporter.stop() == 0
        assert any("resolver" in str(event.get("error")) for event in exporter.events())
        assert exporter.events()[-1]["event"] == "exporter.stopped"


@pytest.mark.slow
@pytest.mark.fault("network", "the resolver falls silent after it has answered")
def test_addresses_outlive_their_resolver(tmp_path: Path):
    """The last good addresses are used, and every collector continues."""
    with name_server() as names, StandIn(community()) as server:
        config = server_table(named_url(server), every=60, intervals={"queue": 8}, max_requests_per_minute=55)
        with Exporter(tmp_path, config=config, prefix=own_resolver(tmp_path, names)) as exporter:
            scene = Scene(server, exporter)
            wait_good([scene], "queue")
            names.silent = True
            asked = names.asked  # A connection is kept for five seconds, which is less than the interval.
            wait_until(lambda: names.asked > asked, what="the name is asked for again")

            after_polls([scene], "queue")

            assert scene.value(SUCCESS, collector="queue") == 1
            assert scene.value("stalwart_up") == 1
