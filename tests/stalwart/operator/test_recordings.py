"""What the clients make of recorded answers, and that they send what was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.errors import TargetForbidden
from exporter.model.queue import RecipientStatus
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.operator.calls import OPERATOR_CALLS
from exporter.stalwart.operator.client import ACCEPTED, NOT_FOUND, OperatorClient, Target, Verdict
from exporter.stalwart.operator.effects import Result, cancel_effect, retry_effect
from exporter.stalwart.operator.jmap.client import LONG_AGO, JmapOperator
from exporter.stalwart.operator.messages import QueuedMessage, QueuedRecipient
from exporter.stalwart.operator.rest.client import RestOperator
from tests.support.replays.queue_control import JMAP, REST, Row, answering, row_of, rows
from tests.support.servers.raw import talking

NOW = datetime(2026, 11, 30, 10, 33, 58, tzinfo=UTC)
AT = datetime(2026, 12, 1, 12, tzinfo=UTC)

Ask = Callable[[OperatorClient], Coroutine[Any, Any, Any]]


def rest(transport: Transport) -> OperatorClient:
    return RestOperator(transport, clock=SystemClock())


def jmap(transport: Transport) -> OperatorClient:
    return JmapOperator(transport, JmapApi(transport, clock=SystemClock()), clock=SystemClock())


def told(make: Callable[[Transport], OperatorClient], ask: Ask, *answers: Row) -> Any:
    """The result of *ask* at a server that gives recorded answers; it is asked what was recorded."""
    handler, strange = answering(*answers)

    async def run() -> Any:
        async with talking(handler, allowed=OPERATOR_CALLS) as (transport, server):
            result = await ask(make(transport))
            assert len(server.asked) == len(answers)
            return result

    result = asyncio.run(run())
    assert strange == []
    return result


def message(id_: str, *addresses: str) -> QueuedMessage:
    """A message of which only ids and addresses matter."""
    recipients = [
        QueuedRecipient(
            address=address,
            queue="remote",
            status=RecipientStatus.TEMPORARY_FAILURE,
            reply="",
            attempts=1,
            next_retry_at=AT,
            expires_at=None,
        )
        for address in addresses
    ]
    return QueuedMessage(id=id_, sender="", created_at=NOW, size_bytes=1, recipients=recipients)


IGNORED, OBEYED = "343418766354349529", "343418802534420441"
X = ("x1@defer.test", "x2@defer.test")


def of(id_: str, *addresses: str) -> Target:
    return Target(message(id_, *X, "x3@reject.test"), frozenset(addresses) if addresses else None)


@pytest.mark.parametrize(
    ("note", "ask", "result"),
    [
        ("retry now: says true, changes nothing", lambda c: c.retry(of(IGNORED), None), ACCEPTED),
        ("one recipient: the same", lambda c: c.retry(of(IGNORED, X[1]), None), ACCEPTED),
        ("at a time: the same", lambda c: c.retry(of(IGNORED), AT), ACCEPTED),
        ("cancel one recipient: says true", lambda c: c.cancel(of(IGNORED, X[0])), ACCEPTED),
        ("unknown or already delivered id", lambda c: c.retry(of("343418766354349528"), None), NOT_FOUND),
        ("cancel the whole message: works", lambda c: c.cancel(of("343418767224668121")), ACCEPTED),
        ("again", lambda c: c.cancel(of("343418767224668121")), NOT_FOUND),
        ("pause: the answer is the state before", lambda c: c.pause(), None),
        ("resume", lambda c: c.resume(), None),
        ("running", lambda c: c.fetch_running(), True),
        ("paused", lambda c: c.fetch_running(), False),
        ("the kick: a retry of any message", lambda c: c.retry(of("343418790238817241"), None), ACCEPTED),
        ("gone", lambda c: c.fetch(["343418767224668121"]), {}),
    ],
)
def test_rest_answers_mean_what_the_contract_says(note: str, ask: Ask, result: object) -> None:
    """And each request is sent as it was recorded."""
    found = [row for row in rows(REST) if row["note"].split(":")[0] == note.split(":")[0]]

    assert told(rest, ask, found[0]) == result


def test_rest_says_when_no_recipient_can_be_changed() -> None:
    """A cancelled one cannot be retried."""
    answer = told(rest, lambda c: c.retry(of(OBEYED, X[0]), None), row_of(REST, "retry a cancelled one"))

    assert answer.verdict is Verdict.REFUSED


@pytest.mark.parametrize(
    ("note", "ask", "result"),
    [
        ("retry now: any time in the past", lambda c: c.retry(of("jrarr7igbvqa"), None), ACCEPTED),
        ("at a time", lambda c: c.retry(of("jrarr7igbvqa"), AT), ACCEPTED),
        ("cancel one recipient", lambda c: c.cancel(of("jrarr7igbvqa", X[0])), ACCEPTED),
        ("cancel one that is not there", lambda c: c.cancel(of("jrarr7igbvqa", "nobody@defer.test")), ACCEPTED),
        ("cancelled while an attempt runs", lambda c: c.cancel(of("jrartfckbzaa")), ACCEPTED),
        ("pause", lambda c: c.pause(), None),
        ("resume (works from v0.16.13 on)", lambda c: c.resume(), None),
    ],
)
def test_jmap_answers_mean_what_the_contract_says(note: str, ask: Ask, result: object) -> None:
    """And each request is sent as it was recorded."""
    found = [row for row in rows(JMAP) if row["note"].startswith(note)]

    assert told(jmap, ask, found[0]) == result


def test_jmap_names_what_is_wrong_with_a_recipient() -> None:
    """Without the address, which the server repeats."""
    row = row_of(JMAP, "retry one that is not there")
    [patch] = row["request"]["methodCalls"][0][1]["update"].values()
    row = {**row, "request": _with(row, {path: LONG_AGO for path in patch})}

    answer = told(jmap, lambda c: c.retry(of("jrarr7igbvqa", "nobody@defer.test"), None), row)

    assert answer.verdict is Verdict.REFUSED
    assert "invalidProperties" in answer.detail
    assert "nobody" not in answer.detail


def _with(row: Row, patch: dict[str, str]) -> dict[str, Any]:
    return {"methodCalls": [["x:QueuedMessage/set", {"update": {"jrarr7igbvqa": patch}}, "c0"]]}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (lambda: row_of(JMAP, "a message that has left"), Verdict.NOT_FOUND),
        (lambda: row_of(JMAP, "an id that does not exist comes back normalised"), Verdict.NOT_FOUND),
        (lambda: row_of(JMAP, "not an id: silently dropped"), Verdict.REFUSED),
    ],
)
def test_jmap_ids_that_are_not_there(body: Callable[[], Row], verdict: Verdict) -> None:
    """An id may come back in another spelling, or not at all."""
    row = body()
    [id_] = row["request"]["methodCalls"][0][1]["update"]
    row = {**row, "request": {"methodCalls": [["x:QueuedMessage/set", {"update": {id_: {"nextRetry": LONG_AGO}}}, ""]]}}

    assert told(jmap, lambda c: c.retry(of(id_), None), row).verdict is verdict


@pytest.mark.parametrize("identity", ["narrow", "watcher"])
def test_a_key_without_permission_is_refused_in_words(identity: str) -> None:
    """On both generations, for a cancellation and a pause."""
    destroy = next(row for row in rows(JMAP, identity) if "destroy" in str(row["request"]))
    delete = next(row for row in rows(REST, identity) if row["method"] == "DELETE")
    pause = next(row for row in rows(REST, identity) if row["path"].endswith("/stop"))

    for make, ask, row in (
        (jmap, lambda c: c.cancel(of("aaaaaaaaaaaa")), destroy),
        (rest, lambda c: c.cancel(of(IGNORED)), delete),
        (rest, lambda c: c.pause(), pause),
    ):
        with pytest.raises(TargetForbidden, match="lacks"):
            told(make, ask, row)


def test_the_effects_of_recorded_retries() -> None:
    """v0.15.5 ignores one outside `default`; there, and on v0.16.18, the attempts rise."""
    listed = row_of(REST, "before anything is done")
    [ignored, *_] = [m for m in told(rest, _walk, listed) if m.id == IGNORED]
    after = told(rest, lambda c: c.fetch([IGNORED]), row_of(REST, "1.6 s later"))
    before_obeyed = told(rest, lambda c: c.fetch([OBEYED]), row_of(REST, "here the administrator's schedule"))
    obeyed = told(rest, lambda c: c.fetch([OBEYED]), row_of(REST, "done: retry_num rose"))

    assert retry_effect(Target(ignored), after[IGNORED], None, now=NOW).result is Result.NOT_APPLIED
    assert retry_effect(Target(before_obeyed[OBEYED]), obeyed[OBEYED], None, now=NOW).result is Result.APPLIED


def test_the_effects_of_recorded_cancellations() -> None:
    """Ignored, obeyed, and undone by a running attempt."""
    [before, *_] = [m for m in told(rest, _walk, row_of(REST, "before anything is done")) if m.id == IGNORED]
    ignored = told(rest, lambda c: c.fetch([IGNORED]), row_of(REST, "... and nothing changed"))
    obeyed = told(rest, lambda c: c.fetch([OBEYED]), row_of(REST, "done; a bounce for it goes out"))
    running = told(rest, lambda c: c.fetch(["343418816325292505"]), row_of(REST, "an attempt is running"))
    back = told(rest, lambda c: c.fetch(["343418816325292505"]), row_of(REST, "... and back"))
    one = frozenset({X[0]})

    assert cancel_effect(Target(before, one), ignored[IGNORED]).result is Result.NOT_APPLIED
    assert cancel_effect(Target(message(OBEYED, *X), one), _renamed(obeyed[OBEYED])).result is Result.APPLIED
    [returned] = back.values()
    assert cancel_effect(Target(*running.values()), returned).result is Result.NOT_APPLIED


def _renamed(found: QueuedMessage) -> QueuedMessage:
    """The message as if its recipients were in the queue `remote`, as those of `message` are."""
    return replace(found, recipients=[replace(r, queue="remote") for r in found.recipients])


def test_a_recorded_queue_is_read_with_replies_and_times() -> None:
    """The reply of v0.16 is put together from its parts."""
    [first, *_] = told(jmap, _walk, row_of(JMAP, "before anything is done"))

    assert first.sender == "alice@example.test"
    assert first.recipients[0].status is RecipientStatus.TEMPORARY_FAILURE
    assert "Connection refused" in first.recipients[0].reply


async def _walk(client: OperatorClient) -> list[QueuedMessage]:
    return [found async for page in client.walk(max_messages=0) for found in page]
