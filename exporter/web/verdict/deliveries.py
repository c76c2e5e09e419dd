"""Conditions of deliveries: too many permanent failures, or no deliveries at all."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.web.interfaces import Recent, ServerStatus
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.thresholds import Thresholds
from exporter.web.words import duration

DELIVERED, GIVEN_UP, PUT_OFF = OUTCOMES = ("delivered", "permanent_failure", "temporary_failure")
"""The names of the outcomes in the history, as in ``stalwart_deliveries_total``."""

DELIVERED_REMOTELY = "delivered_remotely"
"""The name in the history of the server's own counter of deliveries to remote servers."""

REMOTE_SOURCES = ("native", "live")
"""Sources that report this counter in near real time."""

SEEN_BY = ("live_traces", "traces", "logs")
"""Capabilities that provide deliveries."""

BURNS = ("StalwartDeliverySloFastBurn", "StalwartDeliverySloBurn")
"""Alerts on the delivery objective whose windows fit into the history."""


def sees_deliveries(server: ServerStatus) -> bool:
    """Return whether delivery outcomes of the server are known."""
    return any(c.name in SEEN_BY and c.status == "available" for c in server.capabilities)


def delivery_conditions(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    """Yield the conditions of known deliveries."""
    if server.recent is None:
        return
    yield from _stalled(server, server.recent, limits)
    ratio = list(_given_up(server.recent, limits))
    yield from ratio
    if not ratio:
        yield from _burning(server.recent, limits)


def _stalled(server: ServerStatus, recent: Recent, limits: Thresholds) -> Iterator[Condition]:
    limit = limits.get("StalwartDeliveriesStalled")
    if limit is None:
        return
    window = limit["window"]
    delivered = DELIVERED_REMOTELY if server.metrics_source in REMOTE_SOURCES else DELIVERED
    put_off = recent.increase(PUT_OFF, window)
    if put_off >= limit["attempts"] and not recent.increase(delivered, window):
        yield Condition(
            alert="StalwartDeliveriesStalled",
            what=f"no mail is delivered: {put_off:.0f} attempts were deferred within {duration(window)}",
            do="Test DNS and port 25 from the mail server's host.",
        )


def _given_up(recent: Recent, limits: Thresholds) -> Iterator[Condition]:
    limit = limits.get("StalwartDeliveryFailureRatio")
    if limit is None:
        return
    failures, ratio = _failures(recent, limit["window"])
    if failures >= limit["failures"] and ratio > limit["ratio"]:
        yield _failing("StalwartDeliveryFailureRatio", ratio, limit["window"])


def _burning(recent: Recent, limits: Thresholds) -> Iterator[Condition]:
    for alert in BURNS:
        limit = limits.get(alert)
        if limit is None:
            continue
        allowed = limit["factor"] * (1 - limits.slo["objective"])
        failures, ratio = _failures(recent, limit["long"])
        if failures >= limits.slo["failures"] and min(ratio, _failures(recent, limit["short"])[1]) > allowed:
            yield _failing(alert, ratio, limit["long"])
            return


def _failures(recent: Recent, window: float) -> tuple[float, float]:
    failures = recent.increase(GIVEN_UP, window)
    done = failures + recent.increase(DELIVERED, window)
    return failures, failures / done if done else 0.0


def _failing(alert: str, ratio: float, window: float) -> Condition:
    return Condition(
        alert=alert,
        what=f"{ratio:.0%} of recipients failed permanently within {duration(window)}",
        do="Check which destinations reject mail, and their replies.",
    )
