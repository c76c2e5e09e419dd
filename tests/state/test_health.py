"""The health of a collector: what each outcome leaves, and which one is worth a log line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exporter.errors import TargetError, TargetForbidden, TargetTimeout, TargetUnreachable, TargetUnsupported
from exporter.state.board import ServerBoard
from exporter.state.health import CollectorHealth
from exporter.state.tally import TallyBook

AT = datetime(2026, 11, 30, tzinfo=UTC)
TIMEOUT = TargetTimeout("queue: no answer within 30 s")
LACKS = TargetUnsupported("no telemetry")
DENIES = TargetForbidden("no permission")


@pytest.fixture
def health() -> CollectorHealth:
    return CollectorHealth(name="queue", interval_seconds=30)


def test_only_a_success_after_a_failure_is_a_recovery(health: CollectorHealth):
    """Neither the first success nor one after another is."""
    assert health.succeeded(AT) is False
    assert health.succeeded(AT) is False

    health.failed(TIMEOUT)

    assert health.succeeded(AT) is True
    assert (health.success, health.error, health.last_success_at) == (True, "", AT)


def test_a_success_after_a_refusal_is_no_recovery(health: CollectorHealth):
    """What was off did not fail."""
    health.switched_off(LACKS)

    assert health.succeeded(AT) is False
    assert (health.success, health.off) == (True, "")


def test_each_failure_is_counted_and_only_a_new_one_is_news(health: CollectorHealth):
    """The same failure in a row is logged once; another one and one after a success are logged again."""
    news = [health.failed(error) for error in (TIMEOUT, TIMEOUT, TargetUnreachable("no connection"), TIMEOUT)]
    health.succeeded(AT)
    news.append(health.failed(TIMEOUT))

    assert news == [True, False, True, True, True]
    assert health.failures == {"timeout": 4, "unreachable": 1}
    assert (health.success, health.error) == (False, str(TIMEOUT))


def test_a_failure_keeps_the_time_of_the_last_success(health: CollectorHealth):
    """It shows how old the exported values are."""
    health.succeeded(AT)

    health.failed(TIMEOUT)

    assert health.last_success_at == AT


@pytest.mark.parametrize(("refusal", "failures"), [(LACKS, {}), (DENIES, {"forbidden": 2})], ids=["lacks", "denies"])
def test_only_a_missing_permission_counts_as_a_failure(
    health: CollectorHealth, refusal: TargetUnsupported | TargetForbidden, failures: dict[str, int]
):
    """Either switches the collector off, which is news once."""
    health.failed(TargetError("before"))
    health.failures.clear()

    assert [health.switched_off(refusal), health.switched_off(refusal)] == [True, False]

    assert (health.success, health.error, health.off, health.failures) == (None, "", str(refusal), failures)


def test_a_crash_shows_its_cause_and_counts_as_internal(health: CollectorHealth):
    """On the collector it belongs to, and on detection where the task has no series."""
    board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)
    board.collectors["queue"] = health

    board.count_crash("queue", "ended by KeyError")
    board.count_crash("version", "ended")

    assert (health.success, health.error) == (False, "internal error: ended by KeyError")
    assert (health.failures, board.detection_failures) == ({"internal": 1}, {"internal": 1})
