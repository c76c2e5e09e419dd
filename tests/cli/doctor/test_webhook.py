"""`doctor` says what is wrong with a webhook, as the daemon has seen it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.cli.doctor.webhook import look_at_webhook
from exporter.ingest.counting.deliveries import LOG, DeliveryOwners
from exporter.model.delivery import DeliveryEvent, DeliveryOutcome, Outcome
from exporter.settings import ServerSettings
from exporter.stalwart.events.outcomes import GIVEN_UP
from exporter.stalwart.events.tracker import Decision
from exporter.state.webhooks import FORGED, UNSIGNED
from tests.support.rigs.webhooks import Webhook, webhook_on
from tests.support.virtual_time import HandClock
from tests.support.webhooks import body_of, event

AT = datetime(2026, 11, 30, 10, tzinfo=UTC)
ATTEMPT = {"spanId": 7, "queueId": 9, "queueName": "remote", "to": ["u@ok.test"]}


def settings(**webhook: str) -> ServerSettings:
    """A server with or without a webhook."""
    return ServerSettings(name="mx1", url="http://127.0.0.1:1", token="secret-token", webhook=webhook)


def look(path: Path) -> Sequence[str]:
    """What is wrong."""
    return look_at_webhook(settings(secret="key"), path)


def daemon(path: Path, *, refused: Sequence[str] = (), types: Sequence[str] = (), at: datetime = AT) -> None:
    """Runs a daemon that has this experience."""

    async def live() -> None:
        async with webhook_on(path, HandClock(at)) as hook:
            for result in refused:
                hook.feed.received(result)
            if types:
                await hook.post(body_of(event(type_, **ATTEMPT, n=number) for number, type_ in enumerate(types)))
            await hook.job.run_once()

    asyncio.run(live())


def test_without_a_webhook_nothing_is_said(tmp_path: Path):
    """Also if there is no history file."""
    assert look_at_webhook(settings(), tmp_path / "history.sqlite3") == ()


def test_posts_that_never_arrived_are_missed(tmp_path: Path):
    """With a daemon that has run, and without one."""
    path = tmp_path / "history.sqlite3"
    (problem,) = look(path)
    assert "whether posts arrive is not known" in problem

    daemon(path)

    (problem,) = look(path)
    assert problem.startswith("no post has arrived")


def test_wrong_signatures_are_explained_until_a_good_one_arrives(tmp_path: Path):
    """Each reason has its own words."""
    path = tmp_path / "history.sqlite3"
    daemon(path, refused=[UNSIGNED, FORGED, FORGED])

    problems = look(path)

    assert len(problems) == 2
    assert "with a wrong signature" in problems[0]
    assert "(2 refused, last at 2026-11-30T10:00:00Z)" in problems[0]
    assert "without a signature" in problems[1]

    daemon(path, types=["delivery.attempt-start", "delivery.attempt-end"], at=AT + timedelta(seconds=1))

    assert look(path) == []


def test_a_list_with_secrets_or_gaps_is_reported(tmp_path: Path):
    """Raw input, and an attempt without its end."""
    path = tmp_path / "history.sqlite3"
    daemon(path, types=["smtp.raw-input", "delivery.attempt-start", "delivery.dsn-success"])

    problems = look(path)

    assert len(problems) == 2
    assert "smtp.raw-input, which contain passwords" in problems[0]
    assert "lacks delivery.attempt-end:" in problems[1]


def test_outcomes_that_only_the_log_has_are_missing_from_the_list(tmp_path: Path):
    """Later events were posted, so their posts did not get lost."""
    path = tmp_path / "history.sqlite3"

    async def log_failures(hook: Webhook) -> None:
        owners = DeliveryOwners(hook.clock)
        owners.take_over(LOG)
        failed = DeliveryOutcome(AT, Outcome.PERMANENT_FAILURE, "ok.test", "unknown", "")
        decisions = [Decision(DeliveryEvent(GIVEN_UP, AT, n, "remote", "u@ok.test"), failed, True) for n in range(1, 4)]
        async with hook.shared.counting():
            hook.shared.take_logged(decisions, owners)
            await hook.ledger.record({}, hook.shared.marks())

    async def live() -> None:
        async with webhook_on(path, HandClock(AT)) as hook:
            for second in (AT - timedelta(seconds=60), AT + timedelta(seconds=60)):
                stamp = second.isoformat().replace("+00:00", "Z")
                types = ("delivery.attempt-start", "delivery.attempt-end")
                await hook.post(body_of(event(type_, stamp, **ATTEMPT) for type_ in types))
            await hook.job.run_once()
            await log_failures(hook)

    asyncio.run(live())

    (problem,) = look(path)
    assert "lacks delivery.dsn-perm-fail:" in problem
