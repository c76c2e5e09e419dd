"""`/api/troubleshoot` and `/api/spam-filter/classify`: the server tests itself on request."""

from __future__ import annotations

from typing import Any

import msgspec

from exporter.simulator.common.parameters import Request
from exporter.simulator.common.probes import authentication, delivery_stream
from exporter.simulator.common.responses import Answer, NotFound, data, problem
from exporter.simulator.rest.queue import require
from exporter.simulator.world.mail.diagnosis import classify
from exporter.simulator.world.world import World


class _Sample(msgspec.Struct, rename="camel"):
    remote_ip: str
    ehlo_domain: str
    mail_from: str


class _Message(msgspec.Struct, rename="camel"):
    message: str
    remote_ip: str
    env_from: str
    env_from_flags: int
    env_rcpt_to: list[str]


def troubleshoot(world: World, request: Request, parts: tuple[str, ...]) -> Answer:
    """Answer a request below `/api/troubleshoot`."""
    require(request, "troubleshoot")
    match request.method, parts:
        case "GET", ("delivery", target):
            return delivery_stream(world, request, target)
        case "POST", ("dmarc",):
            try:
                sample = msgspec.json.decode(request.body, type=_Sample)
            except msgspec.DecodeError:
                return problem(400, "Invalid parameters", "JSON deserialization failed")
            found = authentication(world, sample.mail_from, sample.remote_ip)
            return data(_authenticated(found, sample.ehlo_domain))
    raise NotFound


def _authenticated(found: dict[str, Any], helo: str) -> dict[str, Any]:
    return {
        "spfEhloDomain": helo,
        "spfEhloResult": {"type": "none"},
        "spfMailFromDomain": found["domain"],
        "spfMailFromResult": {"type": found["spf"]},
        "ipRevResult": {"type": found["iprev"]},
        "ipRevPtr": [f"{helo}."],
        "dkimResults": [],
        "dkimPass": False,
        "arcResult": {"type": "none"},
        "dmarcResult": {"type": "pass" if found["passes"] else "none"},
        "dmarcPass": found["passes"],
        "dmarcPolicy": "reject",
        "elapsed": 3,
    }


def spam(world: World, request: Request) -> Answer:
    """Handle `POST /api/spam-filter/classify`; nothing is learned."""
    if request.method != "POST":
        raise NotFound
    require(request, "spam-filter-test" if world.profile.release >= (0, 15, 0) else "spam-filter-train")
    try:
        message = msgspec.json.decode(request.body, type=_Message).message
    except msgspec.DecodeError:
        return problem(400, "Invalid parameters", "JSON deserialization failed")
    score, result = classify(message)
    head = f"X-Spam-Result: ARC_NA (0.00)\r\nX-Spam-Score: {result}, score={score:.2f}\r\n"
    tags = {"ARC_NA": {"action": "allow", "value": 0.0}}
    return data({"score": score, "tags": tags, "disposition": {"action": "allow", "value": head}})
