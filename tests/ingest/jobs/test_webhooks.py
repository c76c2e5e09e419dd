"""The posts of a webhook are counted and kept once, whatever ends the process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.ingest.jobs import webhooks as jobs
from exporter.model.server import Capability, CapabilityStatus
from exporter.state.webhooks import DOWNTIME, STARTED, UNSIGNED
from exporter.store.reading import reading
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.queries import list_messages, list_refusals, load_trail
from tests.support.replays.trail import stories
from tests.support.rigs.webhooks import Webhook, webhook_on
from tests.support.virtual_time import HandClock
from tests.support.webhooks import OPS, body_of, event, recorded_posts

AT = datetime(2026, 11, 30, 10, tzinfo=UTC)
STAMP = "2026-11-30T10:00:00Z"
ATTEMPT = {"spanId": 7, "queueId": 9, "queueName": "remote", "from": "a@example.test", "size": 1, "total": 1}


def delivered(to: str, at: str = STAMP, **data: Any) -> dict[str, Any]:
    """A delivery."""
    own = {"to": to, "hostname": "mx.ok.test", "code": 250, "details": "OK"}
    return event("delivery.dsn-success", at, **{**ATTEMPT, **own, **data})


async def told(hook: Webhook) -> dict[str, list[str]]:
    """The ends of the recipients of each kept message, and the refusals."""
    found: dict[str, list[str]] = {}
    with reading(hook.store.path) as connection:
        for message in list_messages(connection, TrailFilter(), most=50):
            trail = load_trail(connection, message.server, message.queue_id, now=hook.clock.now())
            assert trail is not None
            found[f"{message.kind} {message.sender}"] = [f"{one.address} {one.state}" for one in trail.recipients]
        found["refused"] = [
            f"{one.reason} {one.recipient}" for one in list_refusals(connection, TrailFilter(), most=50)
        ]
    return found


async def rows(hook: Webhook, table: str) -> int:
    """The rows of a table."""
    counted: int = next(iter(await hook.store.read(f"SELECT count(*) FROM {table}")))[0]  # noqa: S608 - our own
    return counted


@pytest.mark.parametrize("folder", OPS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-delivered", {"submitted alice@example.test": ["u@ok.test delivered"], "refused": []}),
        (
            "sub-rejected-dsn",
            {
                "submitted alice@example.test": ["u@reject.test bounced"],
                "dsn <>": ["alice@example.test delivered"],
                "refused": [],
            },
        ),
        ("in-relay", {"refused": ["relay x@ok.test"]}),
        ("in-dnsbl", {"refused": ["sender "]}),
        ("login-imap-wrong", {"refused": ["authentication "]}),
    ],
)
def test_a_posted_story_is_kept_as_it_happened(tmp_path: Path, folder: str, name: str, expected: dict[str, list[str]]):
    """The trail of real events, cut into posts anywhere, and a row for each counted outcome."""

    async def play() -> dict[str, list[str]]:
        events = stories(folder)[name]["events"]
        ends = max(datetime.fromisoformat(one["createdAt"]) for one in events)
        async with webhook_on(tmp_path / "history.sqlite3", HandClock(ends)) as hook:
            for at in range(0, len(events), 5):
                await hook.post(body_of(events[at : at + 5]))
                await hook.job.run_once()
            hook.clock.seconds += 3600
            await hook.job.run_once(is_idle=True)
            assert await rows(hook, "trail_outcome") == sum(hook.deliveries().values())
            return await told(hook)

    assert asyncio.run(play()) == expected


def test_an_end_of_the_process_between_slices_counts_each_event_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A post of many slices goes on where the last transaction ended."""
    monkeypatch.setattr(jobs, "SLICE_EVENTS", 100)
    path, many = tmp_path / "history.sqlite3", 1000
    body = body_of(delivered(f"u{number}@ok.test", text="x" * 300) for number in range(many))

    async def end_early() -> int:
        async with webhook_on(path, HandClock(AT)) as hook:
            await hook.post(body)
            run = asyncio.ensure_future(hook.job.run_once())
            while sum(hook.deliveries().values()) < many // 3:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await hook.ledger.settle()
            return sum(hook.deliveries().values())

    async def go_on() -> tuple[int, int, int]:
        async with webhook_on(path, HandClock(AT)) as hook:
            await hook.job.run_once()
            again = await hook.post(body)
            assert not again
            return sum(hook.deliveries().values()), await rows(hook, "trail_outcome"), await rows(hook, "webhook_body")

    assert 0 < asyncio.run(end_early()) < many
    assert asyncio.run(go_on()) == (many, many, 0)


@pytest.mark.parametrize("folder", OPS)
def test_recorded_posts_keep_an_outcome_for_each_that_is_counted(tmp_path: Path, folder: str):
    """All posts of a recording, the repeated ones included, in the order of arrival."""

    async def play() -> tuple[int, int, Counter[str]]:
        async with webhook_on(tmp_path / "history.sqlite3", HandClock(AT)) as hook:
            for post in recorded_posts(folder):
                await hook.post(post.body, answered=post.was_answered)
                await hook.job.run_once()
            outcomes = await hook.store.read("SELECT outcome FROM trail_outcome")
            return sum(hook.deliveries().values()), await rows(hook, "trail_outcome"), Counter(o for (o,) in outcomes)

    counted, kept, outcomes = asyncio.run(play())

    assert counted == kept == 68
    assert outcomes == {"delivered": 22, "permanent_failure": 8, "temporary_failure": 38}


def test_an_event_without_the_keys_of_its_attempt_is_joined_by_its_span(tmp_path: Path):
    """Collected before the opening event, or after the closing one, it has only its span."""
    late = event("delivery.dsn-success", spanId=7, to="u@ok.test", hostname="mx", code=250, details="OK")
    start = event("delivery.attempt-start", **ATTEMPT, to=["u@ok.test"])
    end = event("delivery.attempt-end", **ATTEMPT, to=["u@ok.test"], elapsed=1)

    async def play(posts: Iterable[list[dict[str, Any]]]) -> list[int]:
        async with webhook_on(tmp_path / f"{id(posts)}.sqlite3", HandClock(AT)) as hook:
            for events in posts:
                await hook.post(body_of(events))
                await hook.job.run_once()
            await hook.job.run_once(is_idle=True)
            return [row[0] for row in await hook.store.read("SELECT queue_id FROM trail_outcome")]

    assert asyncio.run(play([[start, end], [late]])) == [9]
    assert asyncio.run(play([[late], [start, end]])) == [9]
    assert asyncio.run(play([[late, start, end]])) == [9]
    assert asyncio.run(play([[late]])) == [0]


def test_holes_are_told_apart(tmp_path: Path):
    """A start of the server and a long absence of the receiver may have lost events; a pause has not."""
    path = tmp_path / "history.sqlite3"

    async def play(at: datetime, *events: dict[str, Any]) -> dict[str, int]:
        async with webhook_on(path, HandClock(at)) as hook:
            await hook.post(body_of(events))
            await hook.job.run_once()
            assert hook.board.webhook is not None
            return dict(hook.board.webhook.holes)

    start = event("server.startup", version="0.16.18")
    assert asyncio.run(play(AT, delivered("a@ok.test"))) == {STARTED: 0, DOWNTIME: 0}
    assert asyncio.run(play(AT + timedelta(minutes=4), start)) == {STARTED: 1, DOWNTIME: 0}
    assert asyncio.run(play(AT + timedelta(minutes=10), delivered("b@ok.test"))) == {STARTED: 0, DOWNTIME: 1}


def test_what_was_refused_is_saved_for_the_doctor(tmp_path: Path):
    """Refusals and the types of posted events outlive the process."""
    path = tmp_path / "history.sqlite3"

    async def play() -> None:
        async with webhook_on(path, HandClock(AT)) as hook:
            assert hook.board.capabilities[Capability.WEBHOOKS] is CapabilityStatus.NOT_CONFIGURED
            hook.feed.received(UNSIGNED)
            await hook.job.run_once()
            assert hook.ledger.watermark("webhook_feed")["refused"] == {UNSIGNED: [1, int(AT.timestamp())]}
            await hook.post(body_of([delivered("a@ok.test"), event("smtp.odd\x1b[31m")]))
            await hook.job.run_once()
            assert hook.ledger.watermark("webhook_types") == ["delivery.dsn-success", "smtp.odd\x1b[31m"]
            assert hook.board.capabilities[Capability.WEBHOOKS] is CapabilityStatus.AVAILABLE

    asyncio.run(play())


def test_events_of_any_shape_are_tolerated(tmp_path: Path):
    """Unknown types, missing data and values of other types neither end the job nor count."""
    odd = [
        {"id": 1, "createdAt": STAMP, "type": "a.b"},
        {"createdAt": "yesterday", "type": "delivery.dsn-success", "data": {"to": "u@ok.test"}},
        event("delivery.dsn-perm-fail", spanId="x", queueId=-1, to=7, details=[1]),
        event("queue.rescheduled", spanId=1 << 70, queueId="9", to={"a": 1}),
        event("server.startup", version=["0.16"]),
        {"id": "1", "createdAt": STAMP, "type": "delivery.dsn-success", "data": [1, 2]},
    ]

    async def play() -> tuple[int, int]:
        async with webhook_on(tmp_path / "history.sqlite3", HandClock(AT)) as hook:
            await hook.post(body_of(odd))
            await hook.job.run_once()
            await hook.post(body_of([delivered("a@ok.test")]))
            await hook.job.run_once()
            return hook.deliveries()["delivered", "", "250"], hook.board.unknown["webhook_event"]

    assert asyncio.run(play()) == (1, 1)
