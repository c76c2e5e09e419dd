"""The sums over queued messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.queue import FailureReason, Held, QueueSnapshot, RecipientStatus
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses
from exporter.stalwart.jmap.queue.fold import QueueFold
from exporter.stalwart.jmap.queue.wire import messages_of
from tests.support.replays.jmap_client import message, recipient, stamp

NOW = datetime(2026, 11, 22, 15, 0, 0, 500_000, tzinfo=UTC)
GET = Call("g", "x:QueuedMessage/get", {})


def answer(rows: Any) -> bytes:
    """The answer to a ``get``."""
    return json.dumps({"methodResponses": [[GET.method, {"list": rows, "notFound": []}, "g"]]}).encode()


def folded(*messages: dict[str, Any], **settings: Any) -> QueueSnapshot:
    """The sums over messages that came on one page."""
    fold = QueueFold(NOW, **settings)
    fold.feed(messages_of(MethodResponses(answer(list(messages))), GET))
    return fold.finish(truncated=False)


def failing(kind: str, error: str | None, code: int | None = None) -> dict[str, Any]:
    """A recipient in failure."""
    return recipient(NOW, **{"@type": kind, "errorType": error, "responseCode": code})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("unexpectedResponse", FailureReason.UNEXPECTED_RESPONSE),
        ("dnsError", FailureReason.DNS_ERROR),
        ("connectionError", FailureReason.CONNECTION_ERROR),
        ("tlsError", FailureReason.TLS_ERROR),
        ("daneError", FailureReason.DANE_ERROR),
        ("mtaStsError", FailureReason.MTA_STS_ERROR),
        ("rateLimited", FailureReason.RATE_LIMITED),
        ("concurrencyLimited", FailureReason.CONCURRENCY_LIMITED),
        ("io", FailureReason.IO_ERROR),
    ],
)
def test_every_class_of_error_has_its_reason(error: str, reason: FailureReason):
    """The server's word for it, in our closed set."""
    queue = folded(message(1, due=NOW, **{"a@b.test": failing("TemporaryFailure", error)}))

    assert queue.failures == {(RecipientStatus.TEMPORARY_FAILURE, reason, ""): 1}
    assert queue.unknown == {}


def held_by(limiter: str, due: datetime, queue: str) -> dict[str, Any]:
    """A recipient that the server itself holds back, as v0.16.18 shows it."""
    status = {"errorType": limiter, "errorMessage": None, "responseHostname": "localhost", "responseCode": None}
    return recipient(due, queue=queue, **{"@type": "TemporaryFailure"}, **status)


def test_who_is_held_back_by_a_limit_is_summed_by_queue_and_limiter():
    """With the first and the last release; a remote server's refusal is no limit of ours."""
    sooner, later = NOW + timedelta(minutes=5), NOW + timedelta(minutes=65)
    queue = folded(
        message(1, due=NOW, **{"a@b.test": held_by("rateLimited", later, "local"), "c@d.test": recipient(NOW)}),
        message(2, due=NOW, **{"a@b.test": held_by("rateLimited", sooner, "local")}),
        message(3, due=NOW, **{"e@f.test": held_by("concurrencyLimited", sooner, "remote")}),
    )

    whole = {"first_release_at": sooner.replace(microsecond=0), "last_release_at": later.replace(microsecond=0)}
    assert queue.held == {
        ("local", "rate"): Held(recipients=2, **whole),
        ("remote", "concurrency"): Held(recipients=1, **{**whole, "last_release_at": whole["first_release_at"]}),
    }


def test_what_is_not_known_is_counted_as_unknown():
    """A status and a class of error of some later release, a queue and a domain that can be no label."""
    queue = folded(
        message(1, due=NOW, **{"a@b.test": failing("PermanentFailure", "quantumError", 5)}),
        message(2, due=NOW, **{"a@b.test": recipient(NOW, **{"@type": "Suspended"})}),
        message(3, due=NOW, **{"nobody": recipient(NOW, queue="much too long", **{"@type": "Scheduled"})}),
    )

    assert queue.failures == {(RecipientStatus.PERMANENT_FAILURE, FailureReason.UNKNOWN, ""): 1}
    assert queue.recipients == {
        ("remote", RecipientStatus.PERMANENT_FAILURE): 1,
        ("remote", RecipientStatus.UNKNOWN): 1,
        ("unknown", RecipientStatus.SCHEDULED): 1,
    }
    assert queue.unknown == {"failure_reason": 1, "recipient_status": 1, "queue": 1, "recipient_domain": 1}


def test_only_who_waits_is_late():
    """Overdue and expired recipients are counted where they are still to be tried, and attempts likewise."""
    late = NOW - timedelta(days=9)
    queue = folded(
        message(
            1,
            due=NOW,
            **{
                "a@b.test": recipient(late, **{"@type": "Scheduled"}),
                "c@b.test": recipient(late, queue="local"),
                "d@b.test": recipient(late, **{"@type": "Completed", "responseCode": 250}),
                "e@b.test": recipient(late, **{"@type": "PermanentFailure", "errorType": "io"}),
                "f@b.test": recipient(NOW),
            },
        )
    )

    assert queue.overdue == {"remote": 1, "local": 1}
    assert queue.expired == {"remote": 1, "local": 1}
    assert sum(queue.attempts.counts) == 3


def test_what_expires_by_attempts_does_not_expire_by_time():
    """Only a time to live has a moment."""
    lasting = recipient(NOW) | {"expires": {"@type": "Attempts", "expiresAttempts": 3}}

    queue = folded(message(1, due=NOW, **{"a@b.test": lasting}))

    assert queue.expired == {}


def test_ages_count_from_acceptance():
    """The oldest message is told by its time."""
    old = message(1, due=NOW) | {"createdAt": stamp(NOW - timedelta(hours=3))}

    queue = folded(old, message(2, due=NOW) | {"createdAt": stamp(NOW)})

    assert queue.oldest_created_at == datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert sum(queue.ages_seconds.counts) == 2


def test_the_domain_is_that_of_the_address():
    """In lower case, whatever stands before the last at sign."""
    queue = folded(message(1, due=NOW, **{'"odd@local"@Example.TEST': recipient(NOW)}))

    assert queue.domains == {("example.test", RecipientStatus.TEMPORARY_FAILURE): 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["id", "createdAt", "size", "recipients", "x"])
OF_RECIPIENT = st.sampled_from(["retryCount", "retryDue", "queueName", "status", "expires", "x"])


@given(member=MEMBERS, inner=OF_RECIPIENT, value=JSON, deep=st.booleans())
def test_any_member_gives_a_queue_or_a_payload_error(member: str, inner: str, value: Any, deep: bool):
    """Nothing else comes out, whatever a member holds."""
    row = message(1, due=NOW)
    if deep:
        row["recipients"]["u1@defer.test"][inner] = value
    else:
        row[member] = value

    told = ""
    try:
        queue = folded(row)
    except PayloadError as error:
        told = str(error)

    assert told or queue.messages == 1
    assert "@defer.test" not in told


def test_a_number_that_cannot_be_exported_is_refused():
    """Its sum with others could not be a sample."""
    row = message(1, due=NOW, **{"a@b.test": recipient(NOW, **{"@type": "Scheduled"}) | {"retryCount": 10**400}})

    with pytest.raises(PayloadError, match="retryCount"):
        folded(row)


@given(end=st.integers(0, 1200))
def test_a_truncated_answer_is_a_payload_error(end: int):
    """Wherever it is cut."""
    body = answer([message(1, due=NOW)])

    with pytest.raises(PayloadError):
        messages_of(MethodResponses(body[: min(end, len(body) - 1)]), GET)


@given(extra=st.dictionaries(st.text(min_size=1, max_size=8).map("x{}".format), JSON, max_size=3))
def test_members_that_we_do_not_know_change_nothing(extra: dict[str, Any]):
    """A later release may tell more."""
    row = message(1, due=NOW)

    assert folded(row | extra) == folded(row)


def test_more_domains_than_there_is_room_for_are_summed():
    """Memory does not grow with what strangers write."""
    rows = [message(n, due=NOW, **{f"a@d{n}.test": recipient(NOW)}) for n in range(400)]

    queue = folded(*rows, max_domains=100)

    assert len(queue.domains) <= 100
    assert sum(queue.domains.values()) == 400
