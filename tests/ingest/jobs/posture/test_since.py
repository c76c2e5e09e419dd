"""When a result has changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.jobs.posture.since import advance
from exporter.model.posture import Check, CheckOutcome, CheckResult
from exporter.store.posture.history import Change, Since

GOOD, BAD, UNKNOWN = CheckResult.GOOD, CheckResult.BAD, CheckResult.UNKNOWN


def played(results: Sequence[CheckResult]) -> tuple[Since | None, list[Change]]:
    """The state and the changes after one result per second, from second 1 on."""
    since: Since | None = None
    changes = []
    for at, result in enumerate(results, start=1):
        outcome = CheckOutcome(domain="example.test", check=Check.MX, result=result)
        state, change = advance(since, outcome, at)
        since = Since(state.known, state.changed_at)
        changes += [] if change is None else [change]
    return since, changes


def test_unknown_moves_nothing() -> None:
    """Whatever happens between two equal results."""
    since, changes = played([GOOD, UNKNOWN, UNKNOWN, GOOD, UNKNOWN])

    assert since == Since(GOOD, 1)
    assert [(change.at, change.result) for change in changes] == [(1, GOOD)]


def test_a_change_has_the_time_at_which_it_was_seen() -> None:
    """Also after a time without results."""
    since, changes = played([GOOD, UNKNOWN, BAD, BAD, GOOD])

    assert since == Since(GOOD, 5)
    assert [(change.at, change.result) for change in changes] == [(1, GOOD), (3, BAD), (5, GOOD)]


def test_before_the_first_result_there_is_no_time() -> None:
    """An absent time is honest."""
    assert played([UNKNOWN, UNKNOWN]) == (Since(None, None), [])


@given(st.lists(st.sampled_from(CheckResult), max_size=20))
def test_changes_alternate(results: list[CheckResult]) -> None:
    """Two changes in a row are never equal, and never unknown."""
    _, changes = played(results)

    kinds = [change.result for change in changes]
    assert UNKNOWN not in kinds
    assert all(one is not other for one, other in pairwise(kinds))
