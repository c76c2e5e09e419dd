"""What both generations answer to probes."""

from __future__ import annotations

from typing import Any

from exporter.simulator.common.parameters import Request
from exporter.simulator.common.responses import Answer, encode
from exporter.simulator.world.mail.diagnosis import diagnose
from exporter.simulator.world.world import World

DEFAULT_SECONDS = 30
OWN_ADDRESS = "192.0.2.10"
"""The address that mail of our own domain comes from."""


def delivery_stream(world: World, request: Request, target: str) -> Answer:
    """Return the whole stream of a delivery diagnosis."""
    seconds = request.parameters.number("timeout", DEFAULT_SECONDS) or DEFAULT_SECONDS
    destination = world.destination(target.rpartition("@")[2].lower())
    stages = diagnose(target, destination, jmap=world.profile.jmap, timeout_seconds=seconds)
    body = b"".join(b"event: event\ndata: " + encode([stage]) + b"\n\n" for stage in stages)
    return Answer(200, body, "text/event-stream", (("cache-control", "no-store"),))


def authentication(world: World, sender: str, address: str) -> dict[str, Any]:
    """Return how a message without a signature authenticates: mail of our own domain from our own address passes."""
    domain = sender.rpartition("@")[2].lower()
    is_ours = domain == world.profile.local_domain and address == OWN_ADDRESS
    return {"domain": domain, "spf": "pass" if is_ours else "none", "iprev": "pass", "passes": is_ours}
