"""Listening sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PORT_ATTEMPTS = 10

BACKLOG = 1024
"""Connections that the kernel queues; further clients retry after one second, which is longer than a scrape takes."""


FIRST_PASSED = 3
"""The descriptor of the first socket that systemd passes."""


async def bind_all(addresses: Iterable[tuple[str, int]]) -> list[socket.socket]:
    """Return listening sockets for each host and port, as `bind` does; closes them all if one is not available."""
    listeners: list[socket.socket] = []
    try:
        for host, port in addresses:
            listeners += await bind(host, port)
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def passed_sockets(environ: Mapping[str, str]) -> list[socket.socket]:
    """
    Return the listening sockets that systemd has passed to this process (see ``sd_listen_fds``).

    Raises `OSError` with a readable message if there are none.
    """
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not re.fullmatch(r"[1-9][0-9]{0,2}", count):
        raise OSError("systemd has passed no socket; start the exporter through its socket unit, or set web.listen")
    found = []
    for descriptor in range(FIRST_PASSED, FIRST_PASSED + int(count)):
        try:
            listener = socket.socket(fileno=descriptor)
            is_stream = listener.family in (socket.AF_INET, socket.AF_INET6) and listener.type == socket.SOCK_STREAM
        except OSError:
            is_stream = False
        if not is_stream:
            raise OSError("systemd has passed a socket that is not a TCP socket; use ListenStream=HOST:PORT")
        listener.setblocking(False)
        listener.set_inheritable(False)
        found.append(listener)
    return found


async def bind(host: str, port: int) -> list[socket.socket]:
    """
    Return listening sockets on every address of *host*; an empty host or ``::`` means all addresses of both families.

    All sockets share one port, even if *port* is 0 and the kernel chooses it. Raises `OSError` with a readable message.
    Addresses that this machine lacks (IPv6 disabled) are skipped, as long as one remains.
    """
    loop = asyncio.get_running_loop()
    name = None if host in ("", "::") else host
    try:
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"cannot listen on {_shown(host, port)}: {error.strerror}") from error
    addresses = [(family, address) for family, _, _, _, address in dict.fromkeys(found)]
    for attempts_left in reversed(range(PORT_ATTEMPTS)):
        try:
            return _listen_on_all(addresses)
        except OSError as error:
            if port == 0 and error.errno == errno.EADDRINUSE and attempts_left:
                continue  # the free port of one family is in use in the other
            raise OSError(error.errno, f"cannot listen on {_shown(host, port)}: {_reason(error)}") from error
    raise AssertionError("the last attempt returns or raises")


def _listen_on_all(addresses: Sequence[tuple[int, Any]]) -> list[socket.socket]:
    """Listen on each address, with the first one's port; addresses that this machine lacks are skipped."""
    listeners: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, (host, port, *rest) in addresses:
            if listeners:
                port = listeners[0].getsockname()[1]
            try:
                listeners.append(_listen(family, (host, port, *rest)))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
        if missing is not None and not listeners:
            raise missing
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listen(family: int, address: object) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)  # type: ignore[arg-type]  # as getaddrinfo gave it
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; another exporter may be running"
    if error.errno == errno.EACCES:
        return "ports below 1024 require a privilege"
    return os.strerror(error.errno) if error.errno else str(error)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
