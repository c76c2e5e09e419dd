"""Webhook posts: recorded ones, made ones, and a client that sends them to a running exporter."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.exporter import Exporter
from tests.support.paths import RECORDINGS

KEY = "lab-webhook-key"
PATH = "/trail"
OPS = ("ops-0.15.5", "ops-0.16.18")
OUTCOMES = ("delivery.dsn-success", "delivery.dsn-perm-fail", "queue.rescheduled")

SETTINGS = '[webhooks]\nlisten = "127.0.0.1:0"\n'
"""The receiver on a port of its own."""

TABLE = f'[servers.webhook]\nsecret = "{KEY}"\npath = "{PATH}"\n'
"""The webhook of the server whose table comes before."""


@dataclass(frozen=True)
class RecordedPost:
    """
    A post that a real server has sent.

    Attributes:
        answer: What the recorded receiver did: a status, or words for no answer.
    """

    body: bytes
    headers: Mapping[str, str]
    answer: str

    @property
    def was_answered(self) -> bool:
        """Whether the server has seen a success."""
        return self.answer.endswith("200")


def recorded_posts(recording: str) -> Sequence[RecordedPost]:
    """The posts of a recording, in order."""
    rows = map(json.loads, (RECORDINGS / recording / "webhooks.jsonl").read_text().splitlines())
    return [
        RecordedPost(
            row["body"].encode(),
            {name: value for name, value in row["headers"] if name not in ("host", "content-length")},
            row["answer"],
        )
        for row in rows
    ]


def event(type_: str, at: str = "2026-11-30T10:00:00Z", id_: str = "1", **data: Any) -> dict[str, Any]:
    """One event as posted."""
    return {"id": id_, "createdAt": at, "type": type_, "data": data}


def body_of(events: Iterable[Mapping[str, Any]]) -> bytes:
    """The body with *events*, in the form of a real one."""
    return json.dumps({"events": list(events)}, separators=(",", ":")).encode()


def sign(body: bytes, key: str = KEY) -> str:
    """The value of ``X-Signature``."""
    return base64.b64encode(hmac.digest(key.encode(), body, "sha256")).decode()


class Poster:
    """Posts to the webhook port of a running exporter, as a server does."""

    def __init__(self, exporter: Exporter, path: str = PATH) -> None:
        started = [event for event in exporter.events() if event["event"] == "exporter.started"]
        port = started[-1].get("webhooks_port", started[-1]["port"])
        assert isinstance(port, int)
        self.port = port
        self.path = path

    def post(self, body: bytes, headers: Mapping[str, str] | None = None, *, method: str = "POST") -> int:
        """Posts *body*, signed unless *headers* are given; the status of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, self.path, body, headers if headers is not None else signed(body))
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def post_and_leave(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Posts *body*, and closes the connection without reading the answer."""
        given = headers if headers is not None else signed(body)
        head = [f"POST {self.path} HTTP/1.1", "host: exporter", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in given.items()]
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body)


def signed(body: bytes, key: str = KEY) -> dict[str, str]:
    """The headers of a post as a server sends it."""
    return {"content-type": "application/json", "x-signature": sign(body, key), "accept": "*/*"}
