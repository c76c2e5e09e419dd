"""What the status page remembers of its own numbers."""

from __future__ import annotations

from exporter.web.verdict.history import CONDITIONS, EVENT, EVENT_SAMPLES, SAMPLES, STEP_SECONDS
from tests.support.builders.verdicts import HOUR, Past


def test_the_history_is_bounded():
    """A year of samples and a flood of conditions leave what six hours and a page hold."""
    days = Past()

    history = days.play(10 * SAMPLES * STEP_SECONDS, lambda at: {"messages": at, f"event:{at % 7:.0f}": at})
    history.hold(f"StalwartDestinationDeferring {n}.test" for n in range(10 * CONDITIONS))

    assert len(history._times) == len(history._columns["messages"]) == SAMPLES
    assert {len(column) for name, column in history._columns.items() if name.startswith(EVENT)} <= {EVENT_SAMPLES}
    assert len(history._since) == CONDITIONS
    assert history.increase("messages", HOUR) == HOUR


def test_a_number_that_is_gone_is_forgotten():
    """Once its last sample has left the window nothing of it is kept."""
    clock = Past()

    clock.play(10 * HOUR, lambda at: {"messages": 1.0} if at < HOUR else {"delivered": 1.0})

    assert list(clock.history.names()) == ["delivered"]


def test_a_counter_that_fell_counts_from_there():
    """The lost history of a server is no burst of deliveries, and none are taken back."""
    history = Past().play(HOUR, lambda at: {"delivered": at if at < HOUR / 2 else at - HOUR / 2})

    assert history.increase("delivered", HOUR) == HOUR - STEP_SECONDS


def test_a_counter_that_is_seen_for_the_first_time_has_not_risen():
    """Totals adopted at the first contact are no news."""
    history = Past().play(HOUR, lambda at: {"event:auth.failed": 10_000.0} if at >= HOUR / 2 else {})

    assert history.increase("event:auth.failed", HOUR) == 0
    assert history.covered_seconds("event:auth.failed") == HOUR / 2


def test_a_condition_that_stops_begins_anew():
    """What holds again after a break holds since then."""
    clock = Past()
    clock.history.hold(["a", "b"])
    clock.at = 60
    clock.history.hold(["a"])
    clock.at = 90
    clock.history.hold(["a", "b"])

    assert (clock.history.held_seconds("a"), clock.history.held_seconds("b")) == (90, 0)
