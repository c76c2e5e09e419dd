"""The limit of requests per client."""

from __future__ import annotations

from pathlib import Path

from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from exporter.web.rate_limit import RateLimit, TokenBucket
from tests.support.listener.app import Run, application, browsing, serving


def test_requests_beyond_the_rate_limit_are_refused(run: Run):
    """After the burst every request is a 429, but for a health check from this machine."""
    limited = Guard(
        application(), WebConfig(path=Path("web.yml"), rate_limit=RateLimit(interval_seconds=3600, burst=2))
    )

    async def scenario() -> None:
        async with serving(limited) as server, browsing(server) as client:
            statuses = [(await client.get("/metrics")).status_code for _ in range(3)]

            assert statuses == [200, 200, 429]
            assert (await client.get("/-/healthy")).status_code == 200

    run(scenario())


def test_a_token_is_earned_per_interval():
    """A bucket fills by one request for each interval, and never beyond its burst."""
    now = [0.0]
    bucket = TokenBucket(RateLimit(interval_seconds=2.0, burst=2), monotonic=lambda: now[0])

    assert [bucket.admits() for _ in range(3)] == [True, True, False]
    now[0] = 2.0
    assert [bucket.admits() for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert [bucket.admits() for _ in range(3)] == [True, True, False]
