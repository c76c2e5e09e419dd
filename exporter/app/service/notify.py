"""
Tells systemd that the exporter is ready, and that its event loop is alive.

The protocol is that of ``sd_notify(3)``: datagrams to the socket named in ``NOTIFY_SOCKET``. Without that variable
nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import NoReturn

from exporter.clock import Clock

READY, STOPPING, ALIVE = b"READY=1", b"STOPPING=1", b"WATCHDOG=1"

_MICROSECONDS = 1_000_000
_BEATS_PER_DEADLINE = 3
_IDLE_SECONDS = 3600.0


class Notifier:
    """
    Notifies the service manager that *environ* names.

    Attributes:
        deadline_seconds: How often the watchdog wants a sign of life at least; 0 if it does not watch this process.
    """

    def __init__(self, environ: Mapping[str, str], *, clock: Clock) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the null byte of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.deadline_seconds = _deadline(environ)
        self._clock = clock

    def send(self, state: bytes) -> None:
        """Send *state*; the exporter goes on if nobody listens."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto(state, self._address)

    async def run(self) -> NoReturn:
        """Send signs of life from the event loop, as often as the watchdog wants them, until cancelled."""
        while True:
            if self.deadline_seconds:
                self.send(ALIVE)
            await self._clock.sleep(self.deadline_seconds / _BEATS_PER_DEADLINE or _IDLE_SECONDS)


def _deadline(environ: Mapping[str, str]) -> float:
    """Return the watchdog's deadline in seconds; 0 if it does not watch this process."""
    text = environ.get("WATCHDOG_USEC", "")
    ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(text) / _MICROSECONDS if ours and text.isascii() and text.isdigit() else 0.0
