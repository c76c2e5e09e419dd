"""Servers with a day behind them, for the pages: facts, and a history file with steps."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.clock import unix_second
from exporter.store.steps.steps import STEP_SECONDS, Step, save_steps
from exporter.store.store import Store
from exporter.store.trail.rows import OutcomeRow, TrailRows, trail_writer
from exporter.web.interfaces import (
    Alignment,
    CapabilityRow,
    CollectorState,
    QueueFacts,
    RequestRow,
    ServerStatus,
    StatusPage,
    StreamStatus,
)
from tests.support.builders.verdicts import HOUR, community, down, past
from tests.support.listener.app import collector, server_status, status_page

STEPS = 290


def busy_server(name: str, now: datetime, **changes: object) -> ServerStatus:
    """A server with everything that a card can show."""
    facts: dict[str, object] = {
        "name": name,
        "queue": QueueFacts(
            running=True,
            messages=1284,
            overdue=2,
            failing=236,
            oldest_created_at=now - timedelta(hours=9, minutes=20),
            deferring={"big-mailbox.test": 200, "busy.test": 36},
        ),
        "certificates": {
            "mail.example.org": now + timedelta(days=11, hours=4),
            "*.example.net": now + timedelta(days=64),
        },
        "alignment": [
            Alignment(domain="example.org", aligned=48_213, failed=122),
            Alignment(domain="example.net", aligned=903, failed=411),
            Alignment(domain="other", aligned=55, failed=0),
        ],
        "collectors": [
            collector(last_success_at=now - timedelta(seconds=12)),
            collector("logs", last_success_at=now - timedelta(seconds=4)),
            collector(
                "reports",
                state=CollectorState.FAILING,
                last_success_at=now - timedelta(minutes=42),
                error="504 Gateway Timeout from the proxy before mx1",
                reason="server_error",
            ),
        ],
        "streams": [StreamStatus(name="metrics", connected=True, transport="sse", last_event_at=now)],
        "capabilities": [
            CapabilityRow(name="queue", status="available"),
            CapabilityRow(name="logs", status="available"),
            CapabilityRow(name="traces", status="forbidden", words="The API key lacks tracing-list."),
        ],
        "requests": [
            RequestRow(
                endpoint="queue_messages",
                statuses={"200": 2890, "504": 3},
                mean_seconds=0.041,
                response_bytes=61_000_000,
            )
        ],
        "permissions": ["logs-view", "message-queue-list"],
        "account": "watcher",
        "metrics_source": "native",
        "clock_skew_seconds": 0.4,
        "recent": past(HOUR, delivered=0.1),
    }
    return server_status(**{**facts, **changes})


def pages(now: datetime) -> dict[str, StatusPage]:
    """Fleets of one, two and eight servers."""
    calm = replace(
        community(), name="mx2", certificates={"mx2.example.org": now + timedelta(days=70)}, recent=past(HOUR)
    )
    eight = [
        busy_server("mx1", now),
        *(replace(calm, name=f"mx{n}", queue=QueueFacts(running=True, messages=n)) for n in range(2, 8)),
        down("mx8"),
    ]
    return {
        "one": status_page(busy_server("mx1", now)),
        "two": status_page(busy_server("mx1", now), calm),
        "eight": status_page(*eight),
    }


async def write_day(path: Path, names: list[str], now: datetime) -> None:
    """Write a day of steps and some outcomes of each server into the history at *path*."""
    store = await Store.open(path, now=now)
    end = unix_second(now) // STEP_SECONDS * STEP_SECONDS
    for n in range(STEPS):
        at = end - (STEPS - 1 - n) * STEP_SECONDS
        wave = math.sin(n / 288 * 2 * math.pi - 1.6) + 1.1
        steps = {name: _step(at, n, wave) for name in names if not 100 <= n < 118}
        await save_steps(store, steps, seconds=STEP_SECONDS)
    for name in names:
        await store.write(trail_writer([_outcomes(end)], name))
    await store.aclose()


def _step(at: int, n: int, wave: float) -> Step:
    trouble = max(0, n - 230)
    return Step(
        at=at,
        messages=int(20 * wave) + trouble * 20,
        delivered=int(n * 40 + 900 * wave),
        temporary_failures=n * 2 + trouble * 9,
        permanent_failures=n // 9,
        spam=n // 2,
        logins_failed=n + (trouble * 30 if n > 260 else 0),
        refused_spam=n % 5,
        refused_logins=1,
        refused_others=n % 11,
    )


def _outcomes(end: int) -> TrailRows:
    rows = TrailRows()
    for n in range(40):
        for domain, outcome, code in (
            ("big-mailbox.test", "temporary_failure", "421"),
            ("strict.test", "permanent_failure", "550"),
        ):
            rows.outcomes.append(
                OutcomeRow(
                    n + 1,
                    end - 9000 + n * 200,
                    outcome,
                    "unexpected_response",
                    code,
                    domain,
                    "remote",
                    "",
                    "",
                    "",
                    "",
                    1,
                )
            )
    return rows


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
