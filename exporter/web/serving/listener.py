"""Listening sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from typing import Any

PORT_ATTEMPTS = 10

BACKLOG = 1024
"""Connections that the kernel queues; further clients retry after one second, which is longer than a scrape takes."""


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
