"""
Pages of the queue: decoded and summed, against msgspec decoding the same bytes into every documented field.

100 000 messages of one recipient each, in pages as the walk asks for them; 60 % wait for their first attempt, 40 % were
put off, with a reply that holds their address. Both shapes: recipients of the message (v0.13-v0.15), and under domains
(v0.10-v0.12).
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from benchmarks.rows import Row
from benchmarks.traffic.wire_types import Page
from exporter.stalwart.rest.queue.fold import QueueFold

MESSAGES = 100_000
MESSAGES_A_PAGE = 5000
SECONDS_APART = 2.5
DOMAINS = 300
ROUNDS = 5
LIMIT = 1.5

BEGAN = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
TAKEN = BEGAN + timedelta(seconds=MESSAGES * SECONDS_APART + 60)


class NestedRecipient(msgspec.Struct):
    """One recipient up to v0.12."""

    address: str
    status: str | dict[str, str]
    orcpt: str | None = None


class NestedDomain(msgspec.Struct):
    """The recipients of a message at one domain."""

    name: str
    status: str | dict[str, str]
    recipients: list[NestedRecipient]
    retry_num: int
    next_retry: datetime
    next_notify: datetime | None
    expires: datetime


class NestedMessage(msgspec.Struct):
    """One message up to v0.12."""

    id: int
    return_path: str
    domains: list[NestedDomain]
    created: datetime
    size: int
    blob_hash: str
    priority: int = 0
    env_id: str | None = None


class NestedData(msgspec.Struct):
    """What stands under ``data``."""

    items: list[NestedMessage]
    total: int
    status: bool | None = None


class NestedPage(msgspec.Struct):
    """One answer up to v0.12."""

    data: NestedData


def run() -> list[Row]:
    """Both shapes, the best of some rounds."""
    return [
        compare("queue page, flat recipients", list(pages(flat_message)), msgspec.json.Decoder(Page)),
        compare("queue page, nested domains", list(pages(nested_message)), msgspec.json.Decoder(NestedPage)),
    ]


def compare(name: str, bodies: Sequence[bytes], peer: msgspec.json.Decoder[Any]) -> Row:
    """Processor time of a whole queue: by us, and by plain typed decoding, in turns."""
    ours = theirs = float("inf")
    for _ in range(ROUNDS):
        theirs = min(theirs, cpu_seconds(peer.decode, bodies))
        fold = QueueFold(TAKEN)
        ours = min(ours, cpu_seconds(fold.feed, bodies))
        assert fold.messages == MESSAGES
    scale = 1e6 / MESSAGES
    return Row(name=name, ours=ours * scale, peer=theirs * scale, unit="us", peer_name="full typed decode", limit=LIMIT)


def cpu_seconds(task: Callable[[bytes], object], bodies: Sequence[bytes]) -> float:
    """Processor time of *task* over all pages."""
    began = time.process_time()
    for body in bodies:
        task(body)
    return time.process_time() - began


def pages(make: Callable[[int, random.Random], dict[str, Any]]) -> Iterator[bytes]:
    """The queue in pages, the same at each run."""
    rng = random.Random(20260115)  # noqa: S311 - invented traffic, no secret
    for start in range(0, MESSAGES, MESSAGES_A_PAGE):
        items = [make(number, rng) for number in range(start, start + MESSAGES_A_PAGE)]
        data = {"items": items, "total": len(items), "status": True}
        yield json.dumps({"data": data}, separators=(",", ":")).encode()


def flat_message(number: int, rng: random.Random) -> dict[str, Any]:
    """As from v0.13 on."""
    address, host = destination(rng)
    status, attempts = put_off(address, rng, f"Error for {host}: Unexpected response for RCPT TO:<{address}>: ")
    recipient = {
        "address": address,
        "queue": "remote",
        "status": {"temp_fail": status} if status else "scheduled",
        "retry_num": attempts,
        **due(number),
        "orcpt": f"rfc822;{address}",
    }
    return envelope(number, rng, {"recipients": [recipient]})


def nested_message(number: int, rng: random.Random) -> dict[str, Any]:
    """As up to v0.12: the reply stands at the recipient, and now and then the domain fails for it."""
    address, host = destination(rng)
    reply, attempts = put_off(address, rng, "")
    whole = reply and rng.random() < 0.5
    own = {"temp_fail": reply} if reply and not whole else "scheduled"
    domain = {
        "name": address.partition("@")[2],
        "status": {"temp_fail": f"Unexpected response from '{host}': {reply}"} if whole else "scheduled",
        "recipients": [{"address": address, "status": own, "orcpt": f"rfc822;{address}"}],
        "retry_num": attempts,
        **due(number),
    }
    return envelope(number, rng, {"domains": [domain]})


def destination(rng: random.Random) -> tuple[str, str]:
    """An address, and the host that takes mail for it; few domains get most of the mail."""
    domain = f"dest{int(rng.paretovariate(0.8)) % DOMAINS}.example.net"
    return f"user{rng.randrange(10**6)}@{domain}", f"mx1.{domain}"


def put_off(address: str, rng: random.Random, prefix: str) -> tuple[str, int]:
    """The reply of a failed attempt and how many there were; nothing for most."""
    if rng.random() < 0.6:
        return "", 0
    code = rng.choice((421, 450, 451, 452))
    reply = f"Code: {code}, Enhanced code: 4.7.1, Message: Greylisted for {address}, please try again later"
    return prefix + reply, rng.randrange(1, 12)


def due(number: int) -> dict[str, str]:
    """When what is next."""
    created = BEGAN + timedelta(seconds=int(number * SECONDS_APART))
    return {
        "next_retry": stamp(created + timedelta(days=3)),
        "next_notify": stamp(created + timedelta(days=1)),
        "expires": stamp(created + timedelta(days=5)),
    }


def envelope(number: int, rng: random.Random, recipients: dict[str, Any]) -> dict[str, Any]:
    """What a message has beside its recipients."""
    created = BEGAN + timedelta(seconds=int(number * SECONDS_APART))
    milliseconds = int((created.timestamp() - 1632280000) * 1000)
    return {
        "id": milliseconds << 21 | number,
        "return_path": f"sender{rng.randrange(500)}@example.org",
        **recipients,
        "created": stamp(created),
        "size": rng.randrange(500, 200_000),
        "priority": -2,
        "env_id": f"QQ{rng.randrange(10**9)}",
        "blob_hash": "kTQ2rUe0Yp5mJt3v0w5o2d6o0oN0m3B2y1Jb0lq4Z0E",
    }


def stamp(moment: datetime) -> str:
    """As the server writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    from benchmarks.rows import show

    raise SystemExit(0 if show(run()) else 1)
