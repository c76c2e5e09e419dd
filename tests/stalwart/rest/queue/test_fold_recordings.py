"""Recorded queues give the numbers that an independent reader took from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from exporter.model.queue import QueueSnapshot, RecipientStatus
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.builders.queue_reference import page_of, snapshot_of
from tests.support.paths import RECORDINGS

SERVERS = ("rest-0.12.5", "rest-0.15.5")
TAKEN_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
FAMILIES = ("stalwart_queue_", "stalwart_failed_deliveries")

Facts = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@cache
def recorded(server: str, path: str) -> Any:
    rows = json.loads((RECORDINGS / server / "exchanges.json").read_text())
    return next(row["body"] for row in rows if row["as"] == "watcher" and row["path"] == path)


def facts_of(server: str) -> Facts:
    rows = json.loads((RECORDINGS / server / "facts.json").read_text())
    return {
        (row["name"], tuple(sorted(row["labels"].items()))): row["value"]
        for row in rows
        if row["name"].startswith(FAMILIES)
    }


def told_by(snapshot: QueueSnapshot) -> Facts:
    """The snapshot under the names of the facts."""
    told: Facts = {}

    def tell(name: str, value: float, **labels: str) -> None:
        told[name, tuple(sorted(labels.items()))] = value

    tell("stalwart_queue_messages", snapshot.messages)
    tell("stalwart_queue_bytes", snapshot.size_bytes)
    tell("stalwart_queue_running", int(bool(snapshot.running)))
    for (queue, status), count in snapshot.recipients.items():
        tell("stalwart_queue_recipients", count, queue=queue, status=status.value)
    for (domain, status), count in snapshot.domains.items():
        tell("stalwart_queue_domain_recipients", count, domain=domain, status=status.value)
    for (status, reason, code), count in snapshot.failures.items():
        tell("stalwart_queue_failures", count, status=status.value, reason=reason.value, code=code)
    for kind in ("temporary", "permanent"):
        failing = RecipientStatus(f"{kind}_failure")
        count = sum(count for (_, status), count in snapshot.recipients.items() if status is failing)
        tell("stalwart_failed_deliveries", count, kind=kind)
    return told


def folded(*bodies: bytes) -> QueueSnapshot:
    fold = QueueFold(TAKEN_AT)
    for body in bodies:
        fold.feed(body)
    return fold.finish(truncated=False)


@pytest.mark.parametrize("server", SERVERS)
def test_recorded_queue_gives_its_facts(server: str) -> None:
    """Number by number, with none missing and none beside them."""
    snapshot = folded(json.dumps(recorded(server, "/api/queue/messages?values=1")).encode())

    assert told_by(snapshot) == facts_of(server)
    assert snapshot.unknown == {}


@pytest.mark.parametrize("server", SERVERS)
def test_recorded_queue_reads_as_plain_reading_does(server: str) -> None:
    """Ages, attempts and lateness too, which the facts leave out."""
    items = recorded(server, "/api/queue/messages?values=1")["data"]["items"]

    assert folded(page_of(items)) == snapshot_of(items, TAKEN_AT)


@pytest.mark.parametrize("server", SERVERS)
def test_ignored_filter_leaves_the_same_numbers(server: str) -> None:
    """The whole queue comes back for `filter=status:failed`; who fails is still told by the recipients."""
    ignored = recorded(server, "/api/queue/messages?values=1&filter=status:failed")

    assert told_by(folded(json.dumps(ignored).encode())) == facts_of(server)


@pytest.mark.parametrize("server", SERVERS)
def test_recorded_page_tells_where_it_ends(server: str) -> None:
    """The last id is exact, although it is above 2**53."""
    body = recorded(server, "/api/queue/messages?values=1&limit=5")
    ids = [item["id"] for item in body["data"]["items"]]

    result = QueueFold(TAKEN_AT).feed(json.dumps(body).encode())

    assert (result.items, result.first_id, result.last_id) == (5, ids[0], ids[-1])
    assert ids[-1] > 2**53
    assert result.total == body["data"]["total"]


@pytest.mark.parametrize("server", SERVERS)
def test_paused_queue_is_told_by_the_list(server: str) -> None:
    """The list's own `status` is false while the queue is paused."""
    paused = recorded(server, "/api/queue/messages?values=1&limit=1")

    assert folded(json.dumps(paused).encode()).running is False


@pytest.mark.parametrize("server", SERVERS)
def test_empty_list_is_an_empty_queue(server: str) -> None:
    """It tells nothing of the shape, and has no oldest message."""
    empty: Mapping[str, Any] = recorded(server, "/api/queue/messages?from=someone@partner.test")

    snapshot = folded(json.dumps(empty).encode())

    assert (snapshot.messages, snapshot.oldest_created_at, snapshot.recipients) == (0, None, {})
