"""The recording of a v0.16 server, and a stand-in that has had the same mail."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from exporter.simulator import ManualClock, Profile, StandIn, World
from exporter.simulator.world.accounts.api_keys import api_key
from tests.support.replays.lab import Lab, play
from tests.support.replays.logins import new_client

JMAP_LAB = Lab("jmap-0.16.18", "0.16.18", 1_795_358_385.0, 72.0, 0, 8)
POLL = {
    "using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"],
    "methodCalls": [["x:Account/query", {}, "a"], ["x:Domain/query", {}, "d"]],
}
USING = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"]


def jmap_stand_in(**profile: Any) -> StandIn:
    """A stand-in of the JMAP generation, at the time the recording's mail began."""
    settings: dict[str, Any] = {"version": JMAP_LAB.version} | profile
    return StandIn(Profile(**settings), clock=ManualClock(JMAP_LAB.began))


def basic(name: str, secret: str) -> dict[str, str]:
    """A password as a header."""
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


def key(server: StandIn, name: str = "watcher", secret: str | None = None) -> dict[str, str]:
    """An API key as a header; with a `secret` of another key, one that is refused."""
    token = server.call(lambda world: api_key(world.directory.accounts[name], secret))
    return {"authorization": f"Bearer {token}"}


def identity(server: StandIn, name: str) -> dict[str, str]:
    """The header of a recorded identity."""
    match name:
        case "none":
            return {}
        case "watcher" | "narrow":
            return key(server, name)
        case "wrong":
            return key(server, "watcher", "not-the-secret")
        case "user":
            return basic("alice@example.test", "alice-lab-password")
        case "prometheus":
            return basic("prometheus", "lab-prometheus-secret")
        case _:
            return basic(name, f"lab-{name}-secret")


def fill(server: StandIn) -> None:
    """The requests that set the recorded server up, one a connection."""
    others = ["/api/account", "/nothing/here", "/nothing/there"]
    targets = ["/jmap/", *others, *["/healthz/live"] * (JMAP_LAB.filling_connections - 4)]
    for target in targets:
        with new_client(server.url) as client:
            if target == "/jmap/":
                client.post(target, json=POLL, headers=basic("admin", "lab-admin-secret"))
            else:
                client.get(target)


def play_recording(world: World) -> None:
    """All the mail of the recording, and the time until it was made."""
    play(world, JMAP_LAB)


def do(server: StandIn, *actions: Callable[[World], object]) -> None:
    """Let things happen in the world, one after the other."""
    for action in actions:
        server.call(action)


def call(client: Any, *calls: tuple[str, dict[str, Any]], **options: Any) -> list[Any]:
    """Make some calls in one request; the arguments of their responses, or the error."""
    named = [[name, arguments, f"c{number}"] for number, (name, arguments) in enumerate(calls)]
    response = client.post("/jmap/", json={"using": USING, "methodCalls": named}, **options)
    assert response.status_code == 200, response.text
    return [arguments for _, arguments, _ in response.json()["methodResponses"]]
