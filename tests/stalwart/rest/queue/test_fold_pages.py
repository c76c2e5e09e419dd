"""Pages of the queue: what is refused in which words, and what reading them costs."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from typing import Any

import pytest

from exporter.errors import PayloadError
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.builders.queue_reference import page_of
from tests.support.builders.rest_queue import TAKEN_AT, domain, message, recipient


def problem_of(items: Sequence[object]) -> str:
    with pytest.raises(PayloadError) as caught:
        QueueFold(TAKEN_AT).feed(page_of(items))
    with pytest.raises(PayloadError) as in_parts:
        list(QueueFold(TAKEN_AT).feed_in_parts(page_of(items)))
    assert str(in_parts.value) == str(caught.value)
    return str(caught.value)


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
