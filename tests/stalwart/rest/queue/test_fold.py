"""What the queue's pages are read into, message by message and name by name."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.errors import PayloadError
from exporter.model.queue import OTHER_DOMAIN, FailureReason, QueueSnapshot, RecipientStatus
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.queue_reference import page_of, snapshot_of

TAKEN_AT = datetime(2026, 1, 16, 12, 0, tzinfo=UTC)
BIG = 2**53
REPLY = "Code: 451, Enhanced code: 4.7.1, Message: Try again later"


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


def nested(*domains: dict[str, Any], number: int = 0) -> dict[str, Any]:
    whole = message(number=number)
    del whole["recipients"]
    return {**whole, "domains": list(domains)}


def folded(*messages: dict[str, Any], **limits: int) -> QueueSnapshot:
    fold = QueueFold(TAKEN_AT, **limits)
    fold.feed(page_of(messages))
    return fold.finish(truncated=False)


def problem_of(items: Sequence[object]) -> str:
    with pytest.raises(PayloadError) as caught:
        QueueFold(TAKEN_AT).feed(page_of(items))
    with pytest.raises(PayloadError) as in_parts:
        list(QueueFold(TAKEN_AT).feed_in_parts(page_of(items)))
    assert str(in_parts.value) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("scheduled", RecipientStatus.SCHEDULED),
        ({"completed": "Code: 250, Enhanced code: 2.1.5, Message: OK"}, RecipientStatus.DELIVERED),
        ({"temp_fail": f"Error for mx.x: Unexpected response for EHLO: {REPLY}"}, RecipientStatus.TEMPORARY_FAILURE),
        ({"perm_fail": "Error for x: DNS lookup failed: none"}, RecipientStatus.PERMANENT_FAILURE),
    ],
)
def test_each_status_is_known(status: object, kind: RecipientStatus) -> None:
    """Every variant of v0.13-v0.15."""
    snapshot = folded(message(recipient(status=status)))

    assert snapshot.recipients == {("remote", kind): 1}
    assert snapshot.unknown == {}


@pytest.mark.parametrize("status", ["paused", "", {"frozen": "by hand"}, {"frozen": {"since": 7}}, {}])
def test_unknown_status_is_counted_as_such(status: object) -> None:
    """A status of a later release takes nothing down, and no time of it is believed."""
    late = recipient(status=status, next_retry=stamp(9999), expires=stamp(9999), retry_num=7)

    snapshot = folded(message(late), message(recipient(), number=1))

    assert snapshot.recipients[("remote", RecipientStatus.UNKNOWN)] == 1
    assert snapshot.unknown == {"recipient_status": 1}
    assert snapshot.attempts.total == 0
    assert snapshot.overdue == snapshot.expired == {}


def test_unknown_failure_text_is_counted_as_such() -> None:
    """Its class is unknown, its reply code still counts."""
    snapshot = folded(message(recipient(status={"temp_fail": "Error for mx.x: Something new: Code: 499, Message: x"})))

    assert snapshot.failures == {(RecipientStatus.TEMPORARY_FAILURE, FailureReason.UNKNOWN, "499"): 1}
    assert snapshot.unknown == {"failure_reason": 1}


def test_domain_failure_stands_for_recipients_that_are_still_scheduled() -> None:
    """Up to v0.12 a refused connection is told by the domain alone."""
    refused = {"temp_fail": "Connection to 'mx.refused.test' failed: I/O error: Connection refused (os error 111)"}
    rows = [{"address": "a@refused.test", "status": "scheduled"}, {"address": "b@refused.test", "status": "scheduled"}]

    snapshot = folded(nested(domain(*rows, status=refused)))

    assert snapshot.recipients == {("default", RecipientStatus.TEMPORARY_FAILURE): 2}
    assert snapshot.failures == {(RecipientStatus.TEMPORARY_FAILURE, FailureReason.CONNECTION_ERROR, ""): 2}
    assert snapshot.attempts.total == 6


def test_recipient_status_counts_before_its_domain() -> None:
    """A completed domain has refused recipients, and a scheduled one deferred recipients."""
    refused = {"address": "a@x.test", "status": {"perm_fail": "Code: 550, Enhanced code: 5.1.1, Message: No such user"}}
    deferred = {"address": "b@y.test", "status": {"temp_fail": REPLY}}

    snapshot = folded(nested(domain(refused, status={"completed": ""}), domain(deferred)))

    assert snapshot.failures == {
        (RecipientStatus.PERMANENT_FAILURE, FailureReason.UNEXPECTED_RESPONSE, "550"): 1,
        (RecipientStatus.TEMPORARY_FAILURE, FailureReason.UNEXPECTED_RESPONSE, "451"): 1,
    }


def test_both_shapes_in_one_page_are_read_each_as_it_is() -> None:
    """The shape is each message's own, in whatever order they come."""
    one = nested(domain({"address": "a@x.test", "status": "scheduled"}), number=0)
    two = message(recipient("b@y.test"), number=1)

    assert folded(one, two) == folded(two, one) == snapshot_of([one, two], TAKEN_AT)


def test_message_of_both_shapes_counts_once() -> None:
    """The newer member counts."""
    both = {**message(recipient("a@x.test")), "domains": [domain({"address": "b@y.test", "status": "scheduled"})]}

    assert folded(both).domains == {("x.test", RecipientStatus.SCHEDULED): 1}


def test_message_without_recipients_is_a_message() -> None:
    """An empty list is no missing one."""
    snapshot = folded({**message(), "recipients": []}, nested(number=1))

    assert (snapshot.messages, snapshot.recipients) == (2, {})


def test_ids_above_2_to_the_53_stay_exact() -> None:
    """They are bare numbers that no float holds."""
    result = QueueFold(TAKEN_AT).feed(page_of([message(number=0), message(number=7)]))

    assert (result.first_id, result.last_id) == (BIG + 1, BIG + 15)


@pytest.mark.parametrize(
    "spelling",
    ["2026-01-16T11:58:20Z", "2026-01-16T11:58:20.750Z", "2026-01-16T13:58:20+02:00", "2026-01-16 11:58:20Z"],
)
def test_creation_is_read_in_every_spelling_of_rfc_3339(spelling: str) -> None:
    """Fractions are dropped, offsets taken in."""
    snapshot = folded(message(), {**message(number=1), "created": spelling}, {**message(number=2), "created": spelling})

    assert snapshot.ages_seconds.total == 300
    assert snapshot.oldest_created_at == TAKEN_AT - timedelta(seconds=100)


def test_ages_fall_into_buckets_with_their_bounds() -> None:
    """A message of exactly a minute is at most a minute old; one from the future is not younger than now."""
    ages = [0, 59, 60, 61, 432000, 432001, -3600]

    snapshot = folded(*({**message(number=number), "created": stamp(age)} for number, age in enumerate(ages)))

    assert (snapshot.ages_seconds.counts[0], snapshot.ages_seconds.counts[1]) == (4, 1)
    assert snapshot.ages_seconds.counts[-2:] == (1, 1)
    assert snapshot.ages_seconds.total == 59 + 60 + 61 + 432000 + 432001


@pytest.mark.parametrize("pages", [(100, 200), (200, 100)])
def test_oldest_message_may_stand_on_any_page(pages: tuple[int, int]) -> None:
    """Ids and times of creation need not have the same order."""
    fold = QueueFold(TAKEN_AT)
    for number, seconds_ago in enumerate(pages):
        younger = {**message(number=2 * number + 1), "created": stamp(0)}
        fold.feed(page_of([{**message(number=2 * number), "created": stamp(seconds_ago)}, younger]))

    assert fold.finish(truncated=False).oldest_created_at == TAKEN_AT - timedelta(seconds=200)


def test_age_of_a_snapshot_between_two_seconds_is_exact() -> None:
    """Half a second too old for a bucket is too old."""
    fold = QueueFold(TAKEN_AT + timedelta(milliseconds=500))
    fold.feed(page_of([{**message(), "created": stamp(60)}]))

    ages = fold.finish(truncated=False).ages_seconds

    assert ages.counts[:2] == (0, 1)
    assert ages.total == 60.5


@pytest.mark.parametrize(("seconds_ago", "overdue"), [(300, {}), (301, {"remote": 1}), (-60, {})])
def test_recipient_is_overdue_after_five_minutes(seconds_ago: float, overdue: dict[str, int]) -> None:
    """A retry that is five minutes past and did not happen."""
    assert folded(message(recipient(next_retry=stamp(seconds_ago)))).overdue == overdue


@pytest.mark.parametrize(
    ("fields", "expired"),
    [
        ({"expires": stamp(1)}, {"remote": 1}),
        ({"expires": stamp(0)}, {"remote": 1}),
        ({"expires": stamp(-1)}, {}),
        ({"expires": None}, {}),
    ],
)
def test_recipient_past_its_expiry_is_expired(fields: dict[str, Any], expired: dict[str, int]) -> None:
    """And one that does not expire by time never is."""
    without = message(recipient())
    del without["recipients"][0]["expires"]

    assert folded(message(recipient(**fields))).expired == expired
    assert folded(without).expired == {}


@pytest.mark.parametrize("status", [{"completed": "Code: 250"}, {"perm_fail": "Error for x: Rate limited"}])
def test_times_of_settled_recipients_mean_nothing(status: object) -> None:
    """They are always there, and count neither as attempts nor as lateness."""
    snapshot = folded(message(recipient(status=status, next_retry=stamp(9999), expires=stamp(9999), retry_num=4)))

    assert snapshot.overdue == snapshot.expired == {}
    assert (snapshot.attempts.total, sum(snapshot.attempts.counts)) == (0, 0)


@pytest.mark.parametrize("spelling", ["1969-12-31T23:59:59Z", None, "2053-06-02T00:00:00Z"])
def test_next_notice_may_be_anything(spelling: str | None) -> None:
    """After the last notice it is a second before 1970; it is not read at all."""
    assert folded(message(recipient(next_notify=spelling))).unknown == {}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "john.doe",
        "trailing@",
        "a@bad\x00domain",
        "a@line\nbreak",
        "a@" + "x" * 254,
        "a@\u202egro.elpmaxe",
    ],
)
def test_hostile_domain_becomes_no_label(address: str) -> None:
    """It counts as unknown, beside good ones."""
    snapshot = folded(message(recipient(address), recipient("b@Example.COM"), recipient('"odd@local"@example.com')))

    assert snapshot.domains == {
        ("unknown", RecipientStatus.SCHEDULED): 1,
        ("example.com", RecipientStatus.SCHEDULED): 2,
    }
    assert snapshot.unknown == {"recipient_domain": 1}


@pytest.mark.parametrize("name", ["", "ninebytes", "häßlich", "a\nb", "\x00"])
def test_hostile_queue_name_becomes_no_label(name: str) -> None:
    """Names are one to eight bytes that can be printed; others count as unknown."""
    snapshot = folded(message(recipient(queue=name), recipient(queue="local")))

    good = len(name.encode()) in range(1, 9) and name.isprintable()
    assert snapshot.recipients[("local", RecipientStatus.SCHEDULED)] == 1
    assert snapshot.recipients[(name if good else "unknown", RecipientStatus.SCHEDULED)] == 1
    assert snapshot.unknown == ({} if good else {"queue": 1})


def test_number_of_queues_is_bounded() -> None:
    """A server that invents a queue for each message does not fill our memory; nobody is lost."""
    many = [message(recipient(queue=f"q{number}"), number=number) for number in range(500)]

    snapshot = folded(*many, max_queues=10)

    assert len(snapshot.recipients) <= 11
    assert sum(snapshot.recipients.values()) == 500


def test_number_of_domains_is_bounded_and_keeps_the_largest() -> None:
    """What does not fit is summed; the sum over all is right and a large domain keeps its name."""
    fold = QueueFold(TAKEN_AT, max_domains=100)
    for page in range(20):
        rows = [recipient(f"u@d{page}-{number}.example") for number in range(50)]
        fold.feed(page_of([message(*rows, *(recipient(f"u{n}@large.example") for n in range(30)), number=page)]))

    domains = fold.finish(truncated=False).domains

    assert len(domains) <= 150
    assert sum(domains.values()) == 20 * 80
    assert domains[("large.example", RecipientStatus.SCHEDULED)] == 600
    assert domains[(OTHER_DOMAIN, RecipientStatus.SCHEDULED)] > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("created"), "data.items[2]: Object missing required field `created`"),
        (lambda m: m.update(created="yesterday"), "data.items[2].created: Invalid RFC3339"),
        (lambda m: m.update(created="2026-13-16T11:58:20Z"), "data.items[2].created: Invalid RFC3339"),
        (lambda m: m.update(created="2026-01-16T11:58:20"), "data.items[2].created: Invalid RFC3339"),
        (lambda m: m.update(created=7), "data.items[2].created: Expected `str`, got `int`"),
        (lambda m: m.update(id="7"), "data.items[2].id: Expected `int`, got `str`"),
        (lambda m: m.update(id=2.5), "data.items[2].id: Expected `int`, got `float`"),
        (lambda m: m.update(size=-1), "data.items[2].size: Expected `int` >= 0"),
        (lambda m: m.pop("recipients"), "data.items[2].recipients: missing"),
        (lambda m: m.update(recipients=None), "data.items[2].recipients: Expected `array`, got `null`"),
        (lambda m: m["recipients"][1].pop("address"), "data.items[2].recipients[1]: Object missing required field"),
        (
            lambda m: m["recipients"][1].update(status=7),
            "data.items[2].recipients[1].status: Expected `str | object`, got `int`",
        ),
        (
            lambda m: m["recipients"][1].update(status={"temp_fail": None}),
            "data.items[2].recipients[1].status.temp_fail: Expected `str`, got `null`",
        ),
        (
            lambda m: m["recipients"][0].update(next_retry="soon"),
            "data.items[2].recipients[0].next_retry: Invalid RFC3339",
        ),
        (
            lambda m: m["recipients"][0].update(retry_num="3"),
            "data.items[2].recipients[0].retry_num: Expected `int`, got `str`",
        ),
        (
            lambda m: m.update(domains=[domain(), domain({"address": 7, "status": "scheduled"})]),
            "data.items[2].domains[1].recipients[0].address: Expected `str`, got `int`",
        ),
    ],
)
def test_missing_or_mistyped_member_is_named_with_its_path(change: Any, words: str) -> None:
    """So that the one odd message in a queue of thousands can be found."""
    odd = message(recipient(), recipient(), number=2)
    change(odd)

    assert problem_of([message(), message(number=1), odd, message(number=3)]).startswith(words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "truncated"),
        (b"{}", "Object missing required field `data`"),
        (b'{"data": []}', "data: Expected `object`, got `array`"),
        (b'{"data": {"items": 7}}', "data.items: Expected `array`, got `int`"),
        (b'{"data": {"items": [285617422336009005], "total": 1}}', "data.items[0]: Expected `object`, got `int`"),
        (b'{"data": {"items": [], "total": "1"}}', "data.total: Expected `int | null`, got `str`"),
        (b'{"data": {"items": [], "status": 1}}', "data.status: Expected `bool | null`, got `int`"),
        (b'{"data": {"items": [{"x": ' + b"[" * 20_000, ""),
    ],
)
def test_page_that_is_none_is_refused(body: bytes, words: str) -> None:
    """Ids instead of messages included, which a proxy that drops `values` would bring."""
    with pytest.raises(PayloadError) as caught:
        QueueFold(TAKEN_AT).feed(body)

    assert words in str(caught.value)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    """With the message they are in."""
    body = page_of([message(), message(recipient("x@y.test"), number=1)]).replace(b"x@y.test", b"\xff@y.test")

    with pytest.raises(PayloadError, match=r"data\.items\[1\]: not UTF-8"):
        QueueFold(TAKEN_AT).feed(body)


def test_limit_counts_the_first_messages_of_a_page_only() -> None:
    """The rest is still told as being there."""
    items = [message(number=number) for number in range(10)]
    whole, parts = QueueFold(TAKEN_AT), QueueFold(TAKEN_AT)

    result = whole.feed(page_of(items), 4)
    *_, last = parts.feed_in_parts(page_of(items), 4)

    assert (result.items, whole.messages) == (10, 4)
    assert result == last
    assert whole.finish(truncated=True) == parts.finish(truncated=True)


def test_list_without_a_status_leaves_open_whether_the_queue_runs() -> None:
    """As from v0.10, which does not tell."""
    fold = QueueFold(TAKEN_AT)
    fold.feed(page_of([message()], running=None))

    assert fold.finish(truncated=False).running is None


def test_large_page_is_read_in_steps() -> None:
    """Between which others may run, with the same result."""
    items = [message(*(recipient(f"u{n}@x{n % 7}.test") for n in range(40)), number=number) for number in range(300)]
    whole, parts = QueueFold(TAKEN_AT), QueueFold(TAKEN_AT)
    result = whole.feed(page_of(items))

    *steps, last = parts.feed_in_parts(page_of(items))

    assert len(steps) > 1
    assert set(steps) == {None}
    assert last == result
    assert parts.finish(truncated=False) == whole.finish(truncated=False)


def test_garbage_collection_is_as_it_was_after_a_page() -> None:
    """Also after one that could not be read, and where it was off before."""
    for body in (page_of([message()]), b"nonsense"):
        for enabled in (True, False):
            (gc.enable if enabled else gc.disable)()
            try:
                QueueFold(TAKEN_AT).feed(body)
            except PayloadError:
                assert body == b"nonsense"
            after = gc.isenabled()
            gc.enable()
            assert after is enabled


def test_problem_quotes_nothing_of_the_queue() -> None:
    """No address gets into the message of an exception."""
    odd = message(recipient("secret.person@example.com", retry_num="x"))

    assert "secret" not in problem_of([odd])
    assert json.dumps(odd)
