"""Queued messages as servers of v0.10-v0.15 list them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.model.queue import QueueSnapshot
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.builders.queue_reference import page_of

TAKEN_AT = datetime(2026, 1, 16, 12, 0, tzinfo=UTC)
BIG = 2**53


def stamp(seconds_ago: float) -> str:
    return (TAKEN_AT - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def recipient(address: str = "c@example.com", status: object = "scheduled", **fields: Any) -> dict[str, Any]:
    return {
        "address": address,
        "queue": "remote",
        "status": status,
        "retry_num": 0,
        "next_retry": stamp(-60),
        "next_notify": stamp(-86400),
        "expires": stamp(-3 * 86400),
        **fields,
    }


def message(*recipients: dict[str, Any], number: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "id": BIG + 1 + 2 * number,
        "return_path": "alice@example.org",
        "recipients": list(recipients or (recipient(),)),
        "created": stamp(100),
        "size": 1000,
        "blob_hash": "x",
        **fields,
    }


def domain(*recipients: dict[str, Any], status: object = "scheduled", **fields: Any) -> dict[str, Any]:
    return {
        "name": "example.com",
        "status": status,
        "recipients": list(recipients),
        "retry_num": 3,
        "next_retry": stamp(-60),
        "next_notify": None,
        "expires": stamp(-86400),
        **fields,
    }


def folded(*messages: dict[str, Any], **limits: int) -> QueueSnapshot:
    fold = QueueFold(TAKEN_AT, **limits)
    fold.feed(page_of(messages))
    return fold.finish(truncated=False)
