"""Whatever a server writes, and wherever its pages end."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.queue import QueueSnapshot
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.builders.queue_reference import page_of, snapshot_of

TAKEN_AT = datetime(2026, 1, 16, 12, 0, 0, 250_000, tzinfo=UTC)
REPLY = "Code: 451, Enhanced code: 4.7.1, Message: Try again later"

counts = st.integers(0, 2**64 - 1)
small_counts = st.integers(0, 60)
moments = st.integers(-10 * 86400, 10 * 86400).map(
    lambda seconds: TAKEN_AT.replace(microsecond=0) + timedelta(seconds=seconds)
)
stamps = st.one_of(
    moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
    moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.5Z")),
    moments.map(lambda moment: (moment + timedelta(hours=5.5)).strftime("%Y-%m-%dT%H:%M:%S+05:30")),
)
texts = st.sampled_from(
    [
        REPLY,
        f"Error for mx.x.test: Unexpected response for RCPT TO:<a@x.test>: {REPLY}",
        f"Unexpected response from 'mx.x.test': {REPLY}",
        "Error for mx.x.test: Connection failed: refused",
        "Connection to 'mx.x.test' failed: refused",
        "Error for x.test: Rate limited",
        "Error for x.test: new kind: Code: 999",
        "",
    ]
) | st.text(max_size=20)
statuses = (
    st.just("scheduled")
    | st.tuples(st.sampled_from(["completed", "temp_fail", "perm_fail"]), texts).map(lambda pair: dict([pair]))
    | st.sampled_from(["frozen", {"frozen": [1]}, {}])
)
addresses = (
    st.builds(
        "{}@{}".format, st.sampled_from(["a", "b c", '"x@y"']), st.sampled_from(["x.test", "X.Test", "ü.test", ""])
    )
    | st.text(max_size=12)
    | st.just("root")
)
queues = st.sampled_from(["local", "remote", "dsn", "default", "toolong99", ""])
unknown_fields = st.dictionaries(
    st.text(max_size=6).map("new_{}".format),
    st.recursive(st.none() | st.booleans() | st.text(max_size=5), st.lists),
    max_size=2,
)


def extended(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with the fields, in any order, and others that we do not know."""
    whole = st.tuples(st.fixed_dictionaries(fields), unknown_fields).map(lambda pair: {**pair[0], **pair[1]})
    return whole.flatmap(lambda members: st.permutations(list(members.items()))).map(dict)


times = {"retry_num": small_counts, "next_retry": stamps, "expires": st.none() | stamps}
flat_recipients = extended(address=addresses, queue=queues, status=statuses, **times)
nested_recipients = extended(address=addresses, status=statuses)
domains = extended(name=addresses, status=statuses, recipients=st.lists(nested_recipients, max_size=3), **times)
head = {"id": counts, "created": stamps, "size": counts}
messages = extended(recipients=st.lists(flat_recipients, max_size=3), **head) | extended(
    domains=st.lists(domains, max_size=2), **head
)


def folded(bodies: list[bytes]) -> QueueSnapshot:
    fold = QueueFold(TAKEN_AT)
    for body in bodies:
        fold.feed(body)
    return fold.finish(truncated=False)


@settings(deadline=None)
@given(st.lists(messages, max_size=6))
def test_any_queue_reads_as_plain_reading_does(queue: list[dict[str, Any]]) -> None:
    """Both shapes mixed, fields unknown and in any order, times in any spelling."""
    assert folded([page_of(queue)]) == snapshot_of(queue, TAKEN_AT)


@settings(deadline=None)
@given(st.lists(messages, max_size=8), st.data())
def test_where_pages_end_does_not_change_the_numbers(queue: list[dict[str, Any]], data: st.DataObject) -> None:
    """Any split of the queue gives the snapshot of the whole."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(queue)), max_size=5)))
    edges = [0, *cuts, len(queue)]
    pages = [page_of(queue[start:end]) for start, end in pairwise(edges)]

    assert folded(pages) == folded([page_of(queue)])


@settings(deadline=None)
@given(st.lists(messages, max_size=3), st.data())
def test_truncated_page_is_a_payload_error(queue: list[dict[str, Any]], data: st.DataObject) -> None:
    """Wherever it was cut."""
    body = page_of(queue)
    cut = data.draw(st.integers(0, len(body) - 1))

    try:
        folded([body[:cut]])
    except PayloadError:
        return
    raise AssertionError("a page that lacks its end was taken for whole")


def places_in(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all members."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(place for key, member in inner for place in places_in(member, (*path, key)))]


def replaced(document: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    changed = copy.copy(document)
    changed[path[0]] = replaced(document[path[0]], path[1:], value)
    return changed


@settings(deadline=None, max_examples=300)
@given(st.lists(messages, min_size=1, max_size=2), st.data())
def test_mistyped_member_gives_a_snapshot_or_a_payload_error(queue: list[dict[str, Any]], data: st.DataObject) -> None:
    """One member of any type in any place: never another exception, and never a negative number."""
    page = json.loads(page_of(queue))
    place = data.draw(st.sampled_from(places_in(page)))
    odd = data.draw(
        st.sampled_from([None, True, 7, -1, 2**70, 1.5, "", "x", [], {}, [[]], {"temp_fail": 7}, "2026-01-16T11:00:00"])
    )

    try:
        snapshot = folded([json.dumps(replaced(page, place, odd)).encode()])
    except PayloadError:
        return

    assert min([*snapshot.recipients.values(), *snapshot.failures.values(), 0]) == 0
    assert sum(snapshot.ages_seconds.counts) == snapshot.messages


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_noise_is_a_payload_error(body: bytes) -> None:
    """Bytes that are no page."""
    try:
        snapshot = folded([body])
    except PayloadError:
        return

    assert snapshot.messages == 0
