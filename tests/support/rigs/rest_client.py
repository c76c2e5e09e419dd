"""A client of a server of v0.10-v0.15 that answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest

from exporter.errors import (
    TargetError,
)
from exporter.stalwart.rest.client import (
    RestClient,
)
from tests.support.paths import RECORDINGS
from tests.support.servers.raw import (
    Asked,
    Handler,
    RawServer,
    reply,
    run,
    talking,
)
from tests.support.virtual_time import HandClock

T = TypeVar("T")
SERVERS = ("rest-0.12.5", "rest-0.15.5")
AFTER = datetime(2026, 1, 15, 10, 30, 0, 900_000, tzinfo=UTC)


def asked(handler: Handler, job: Callable[[RestClient], Awaitable[T]], **settings: Any) -> tuple[T, RawServer]:
    """What *job* gets from a client of such a server."""

    async def work() -> tuple[T, RawServer]:
        async with talking(handler, clock=HandClock(), **settings) as (transport, server):
            client = RestClient(transport, clock=HandClock())
            return await job(client), server

    return run(work())


def refused(handler: Handler, job: Callable[[RestClient], Awaitable[object]], **settings: Any) -> TargetError:
    """What it raises instead."""

    async def work(client: RestClient) -> TargetError:
        with pytest.raises(TargetError) as caught:
            await job(client)
        return caught.value

    return asked(handler, work, **settings)[0]


def recorded(server: str) -> Handler:
    """Answers by path and query as the recorded server did."""
    rows = json.loads((RECORDINGS / server / "exchanges.json").read_text())
    answers: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["as"] == "watcher":
            answers.setdefault(row["path"], row)

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        target = unquote(asked.target)
        row = answers.get(target) or answers.get(target.partition("?")[0]) or answers["/api/no/such/thing"]
        writer.write(reply(row["status"], row["body"], content_type=row["headers"]["content-type"]))

    return handle


def traces(ids: Sequence[int]) -> Handler:
    """Pages through ids of traces, newest first, and gives the traces."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.path == "/api/telemetry/traces":
            limit, page = int(asked.query["limit"]), int(asked.query["page"])
            data: Any = {"items": ids[(page - 1) * limit : page * limit], "total": len(ids)}
        else:
            wanted = [int(part) for part in asked.path.rpartition("/")[2].split(",")]
            spans = [span(id_) if id_ in ids else [] for id_ in wanted]
            data = spans if len(wanted) > 1 else spans[0]
        writer.write(reply(200, {"data": data}))

    return handle


def span(number: int) -> list[dict[str, Any]]:
    return [
        {
            "text": "Delivery attempt started",
            "createdAt": "2026-01-15T10:30:05Z",
            "type": "delivery.attempt-start",
            "data": {"queueId": number, "queueName": "remote", "from": "a@example.org", "to": ["c@example.com"]},
        },
        {"text": "x", "createdAt": "2026-01-15T10:30:06Z", "type": "delivery.attempt-end", "data": {"elapsed": 5}},
    ]
