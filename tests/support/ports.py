"""Ports that a program under test can be given, and given again after a restart, without a race for them."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

FIRST, LAST = 20_000, 30_000
"""Below the range from which Linux takes ports for outgoing connections, which else could land on one of these."""

_held: list[IO[bytes]] = []


def reserve_port() -> int:
    """
    Return a port of the loopback address that is free and that no other test takes while this process lives.

    The reservation is a lock on a file named after the port, which test processes of one user share.
    """
    folder = Path(tempfile.gettempdir()) / f"stalwart-exporter-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        lock = (folder / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port
    raise OSError(f"no free port between {FIRST} and {LAST}")
