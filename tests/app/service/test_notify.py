"""What systemd is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.app.service.notify import READY, Notifier
from exporter.clock import SystemClock
from tests.support.commands import running
from tests.support.exporter import wait_until


@pytest.fixture
def manager(tmp_path: Path):
    """The socket of a service manager, and its address."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.setblocking(False)
        yield listener, address


def received(listener: socket.socket) -> list[bytes]:
    """The states that have arrived."""
    states = []
    while True:
        try:
            states.append(listener.recv(4096))
        except BlockingIOError:
            return states


def test_start_life_and_stop_are_told(tmp_path: Path, manager: tuple[socket.socket, str]):
    """READY once it serves, signs of life while it runs, STOPPING at its end."""
    listener, address = manager
    told: list[bytes] = []

    def is_told(state: bytes, times: int) -> bool:
        told.extend(received(listener))
        return told.count(state) >= times

    with running(tmp_path, environ={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"}):
        wait_until(lambda: is_told(b"WATCHDOG=1", 3), what="three signs of life")
    told += received(listener)

    assert told.count(READY) == 1
    assert told.count(b"STOPPING=1") == 1
    assert set(told) == {READY, b"WATCHDOG=1", b"STOPPING=1"}


def test_an_abstract_address_is_understood():
    """As systemd may use it."""
    name = f"stalwart-exporter-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.setblocking(False)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}, clock=SystemClock()).send(READY)

        assert received(listener) == [READY]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}], ids=["unset", "gone"])
def test_nobody_has_to_listen(environ: Mapping[str, str]):
    """Without a service manager, or after it has gone, the exporter goes on."""
    Notifier(environ, clock=SystemClock()).send(READY)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
    ids=["ours", "another process", "unreadable", "unset"],
)
def test_the_watchdog_has_a_deadline_only_for_us(environ: Mapping[str, str], seconds: float):
    """The variables are inherited by other processes, which need not answer."""
    assert Notifier(environ, clock=SystemClock()).deadline_seconds == seconds
