"""Host name lookups on threads of their own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PATIENCE_SECONDS = 1.0
"""How long to wait for the resolver if earlier addresses are available."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

Lookup = Callable[[str], Sequence[str]]


class ResolverSilent(OSError):
    """No response from the system's resolver within the deadline."""


@dataclass(slots=True)
class _Name:
    """
    The state of one host name.

    Attributes:
        kept: The addresses of the last successful lookup.
        running: The lookup in progress; its result is the addresses or the error.
        in_trouble: The last lookup failed or exceeded its deadline.
    """

    kept: tuple[str, ...] = ()
    running: asyncio.Future[Sequence[str] | OSError] | None = None
    in_trouble: bool = False


class Resolver:
    """
    The addresses of one server's host, from the system's resolver.

    A lookup that hangs cannot be cancelled. Each one therefore runs on its own daemon thread, which blocks neither
    other servers nor the end of the process, and there is at most one per name. While the resolver is silent or fails,
    the addresses of the last successful lookup are used; if it reports that a name does not exist, they are dropped.
    """

    def __init__(self, *, lookup: Lookup | None = None, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._lookup = lookup or system_lookup
        self._patience_seconds = patience_seconds
        self._names: dict[str, _Name] = {}

    async def addresses(self, host: str, *, timeout_seconds: float) -> Sequence[str]:
        """
        Return the addresses of *host*, best first; at least one.

        Raises `ResolverSilent` after *timeout_seconds*, and ``socket.gaierror``.
        """
        if _is_address(host):
            return (host,)
        name = self._names.setdefault(host, _Name())
        answer = name.running or self._start(host, name)
        await asyncio.wait([answer], timeout=self._wait_seconds(name, timeout_seconds))
        found = answer.result() if answer.done() else ResolverSilent("no answer")
        if not isinstance(found, OSError):
            return found
        name.in_trouble = True
        if name.kept:
            return name.kept
        raise found

    def _wait_seconds(self, name: _Name, timeout_seconds: float) -> float:
        if not name.kept:
            return timeout_seconds
        return 0.0 if name.in_trouble else min(self._patience_seconds, timeout_seconds)

    def _start(self, host: str, name: _Name) -> asyncio.Future[Sequence[str] | OSError]:
        loop = asyncio.get_running_loop()
        answer = name.running = loop.create_future()

        def finish(found: Sequence[str] | OSError) -> None:
            name.running = None
            if not isinstance(found, OSError):
                name.kept, name.in_trouble = tuple(found), False
            elif isinstance(found, socket.gaierror) and found.errno in _NO_SUCH_NAME:
                name.kept = ()
            answer.set_result(found)

        def look_up() -> None:
            found: Sequence[str] | OSError = ResolverSilent("the look-up ended without an answer")
            try:
                found = self._try(host)
            finally:
                # The loop may be closed by now.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(finish, found)

        try:
            threading.Thread(target=look_up, name=f"resolver-{host}", daemon=True).start()
        except RuntimeError:  # No thread could be started; the next lookup tries again.
            finish(OSError(errno.EAGAIN, "no thread for the look-up"))
        return answer

    def _try(self, host: str) -> Sequence[str] | OSError:
        try:
            return self._lookup(host)
        except OSError as error:
            return error.with_traceback(None)
        except ValueError:  # A label that is empty or too long, or a character that no name has.
            return socket.gaierror(socket.EAI_NONAME, "not a host name")


def system_lookup(host: str) -> Sequence[str]:
    """Return the addresses of *host* as the system prefers them; blocks. Raises ``socket.gaierror``."""
    rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    found = dict.fromkeys(str(row[4][0]) for row in rows)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return list(found)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
