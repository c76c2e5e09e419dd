"""The order in which real servers told of their deferrals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.stalwart.events.trace_events import delivery_event
from exporter.stalwart.events.tracker import AttemptTracker
from tests.support.builders.outcomes import outcomes_of
from tests.support.paths import RECORDINGS

RECORDED = RECORDINGS


def outcomes(events: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """What recorded events of one attempt come to."""
    at = datetime(2026, 11, 30, tzinfo=UTC)
    opening: dict[str, Any] = events[0]["data"]
    told = (delivery_event(at, event["type"], event["data"], opening) for event in events)
    return [(o.outcome.value, o.reason, o.code, o.domain) for o in outcomes_of(told, AttemptTracker())]


@pytest.mark.parametrize("case", json.loads((RECORDED / "delivery-orders.json").read_text()), ids=lambda c: c["what"])
def test_a_recorded_attempt_comes_to_what_was_sent(case: dict[str, Any]):
    """Late reasons, rejections beside deferrals and two virtual queues, as real servers told of them."""
    assert outcomes(case["events"]) == [tuple(outcome) for outcome in case["outcomes"]]
