"""Repetitions are cut out of posts as runs, and equal events are kept."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.counting.repeats.posted_runs import MAX_RUNS, Batch, PostedRuns

AT = 1_800_000_000


def batch(letters: str, body: int = 1, *, at: int = AT, seconds: list[int] | None = None) -> Batch:
    """A batch with an event per letter; equal letters are equal events."""
    digests = b"".join(letter.encode().ljust(8, b"\0") for letter in letters)
    return Batch(body, at, digests, array("I", seconds or [at] * len(letters)))


def answered(letters: str) -> Batch:
    """A batch whose answer has arrived."""
    one = batch(letters)
    one.answered = True
    return one


def new(runs: PostedRuns, letters: str, *, is_answered: bool = False, **keywords: object) -> str:
    """The letters of a post that are not repetitions."""
    post = batch(letters, 99, **keywords)  # type: ignore[arg-type]
    post.answered = is_answered
    marks, _ = runs.repeated(post)
    return "".join(letter for letter, mark in zip(letters, marks, strict=True) if not mark)


@pytest.mark.parametrize(
    ("post", "wanted"),
    [
        ("abcd", "d"),
        ("xyabc", "xy"),
        ("xabcy", "xy"),
        ("abc", ""),
        ("abcabc", "abc"),
        ("xbca", "x"),
        ("axbc", "axbc"),
        ("ab", ""),
        ("", ""),
    ],
)
def test_a_run_is_cut_wherever_it_stands(post: str, wanted: str):
    """Newer events come in front of it or behind; without the whole run, nothing is cut from a longer post."""
    assert new(PostedRuns([batch("abc")]), post) == wanted


def test_equal_events_are_only_cut_as_often_as_they_were_posted():
    """Of three equal events, two are new after a batch that had one."""
    assert new(PostedRuns([batch("a")]), "aaa") == "aa"


def test_an_answered_batch_of_equal_events_does_not_come_again():
    """Equal events after it are real."""
    assert new(PostedRuns([answered("a")]), "ab") == "ab"
    assert new(PostedRuns([answered("ab")]), "a", is_answered=True) == "a"
    assert new(PostedRuns([answered("aa")]), "aa", is_answered=True) == "aa"


def test_an_answered_batch_of_different_events_comes_again_if_a_proxy_lost_the_answer():
    """Its whole run cannot be a coincidence."""
    assert new(PostedRuns([answered("ab")]), "cab") == "c"
    assert new(PostedRuns([answered("ab")]), "ca") == "ca"


def test_each_post_repeats_the_one_before():
    """While answers are lost, the backlog comes again and again, with what it repeated itself."""
    runs = PostedRuns()
    counted = ""
    for number, post in enumerate(["ab", "xab", "xaby", "xabyz", "w"]):
        one = batch(post, number)
        marks, gone = runs.repeated(one)
        counted += "".join(letter for letter, mark in zip(post, marks, strict=True) if not mark)
        runs.add(one, gone)

    assert counted == "abxyzw"


@pytest.mark.parametrize(("post", "wanted"), [("bc", ""), ("b", ""), ("cb", "cb"), ("bd", "bd"), ("abcd", "d")])
def test_a_post_that_is_stored_after_the_one_that_repeats_it_is_new_nowhere(post: str, wanted: str):
    """The connection of the first broke, and both were received at the same time."""
    assert new(PostedRuns([batch("abc")]), post) == wanted


def test_the_batch_of_another_node_may_come_later():
    """Posts of another node in between do not hide a repetition."""
    runs = PostedRuns()
    for number, post in enumerate(["ab", "xy", "pq"]):
        runs.add(batch(post, number), [])

    assert new(runs, "abc") == "c"
    assert new(runs, "zxy") == "z"


def test_what_the_server_dropped_as_too_old_does_not_hide_the_rest():
    """Five minutes later the server repeats only what is younger."""
    old = batch("abcd", seconds=[AT, AT + 1, AT + 200, AT + 201])

    assert new(PostedRuns([old]), "cde", seconds=[AT + 200, AT + 201, AT + 300]) == "e"
    assert new(PostedRuns([old]), "cd", at=AT + 300, seconds=[AT + 200, AT + 201]) == ""


def test_a_part_of_a_fresh_batch_is_no_repetition():
    """Nothing is dropped within seconds, so equal events are real."""
    fresh = batch("abcd", seconds=[AT, AT + 1, AT + 2, AT + 2])

    assert new(PostedRuns([fresh]), "cde", seconds=[AT + 2, AT + 2, AT + 3]) == "cde"


def test_old_batches_are_forgotten():
    """Only the last ones are kept."""
    runs = PostedRuns()
    for number in range(MAX_RUNS + 3):
        runs.add(batch("ab", number), [])

    assert [one.body for one in runs.batches] == list(range(3, MAX_RUNS + 3))


def test_an_answer_that_arrives_late_is_recorded():
    """The receiver learns after the post was counted that the answer arrived."""
    runs = PostedRuns([batch("a", 7)])

    assert runs.answered(7)
    assert not runs.answered(8)
    assert new(runs, "ab") == "ab"


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_whatever_is_lost_each_event_counts_once(arrivals: list[str], data: st.DataObject):
    """A server that repeats what was not answered, with newer events on either side, is counted exactly."""
    runs, counted, held = PostedRuns(), "", ""
    for number, fresh in enumerate([*arrivals, "z"]):
        post = fresh + held if data.draw(st.booleans()) else held + fresh
        is_lost = number < len(arrivals) and data.draw(st.booleans())
        one = batch(post, number)
        marks, gone = runs.repeated(one)
        counted += "".join(letter for letter, mark in zip(post, marks, strict=True) if not mark)
        runs.add(one, gone)
        held = post if is_lost else ""
        if not is_lost:
            # The server saw the answer: a real repetition is impossible, and equal events are told from one.
            runs = PostedRuns([one for one in runs.batches if one.body != number])

    assert sorted(counted) == sorted("".join(arrivals) + "z")
