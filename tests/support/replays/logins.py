"""HTTP clients for the stand-in's built-in logins."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from exporter.simulator import ManualClock, Profile, StandIn

WATCHER = ("watcher", "lab-watcher-secret")
NARROW = ("narrow", "lab-narrow-secret")
ADMIN = ("admin", "lab-admin-secret")
# Building a context takes longer than most tests; nothing here speaks TLS.
_TRUST = ssl.create_default_context()
PROMETHEUS = ("prometheus", "lab-prometheus-secret")


def bearer(name: str = "watcher", secret: str = "lab-watcher-secret") -> dict[str, str]:
    """An API key as a Bearer header."""
    return {"authorization": f"Bearer api_{base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


def new_client(url: str, auth: tuple[str, str] | None = None) -> httpx.Client:
    """A client of its own, with its own connections."""
    return httpx.Client(base_url=url, auth=auth, timeout=20, verify=_TRUST)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return as soon as a condition holds; fail if it does not within a generous time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        threading.Event().wait(0.01)


@contextmanager
def serving(auth: tuple[str, str] | None = WATCHER, **profile: Any) -> Iterator[tuple[StandIn, httpx.Client]]:
    """A stand-in whose time stands still, and a client logged in to it."""
    with (
        StandIn(Profile(**profile), clock=ManualClock()) as server,
        new_client(server.url, auth) as client,
    ):
        yield server, client
