"""Against servers that answer as real ones did, the exporter says what an independent reader found in the answers."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.exporter import Exporter, Series, wait_until
from tests.support.paths import RECORDINGS
from tests.support.replays.rest import Asked, Replay, replay
from tests.support.standin import server_table

WITHIN_SECONDS = 45.0

ALLOWED = re.compile(
    r"GET /(api/queue/(messages|status|reports)|api/reports/(dmarc|tls|arf)(/\d+_\d+)?|api/logs"
    r"|api/telemetry/(metrics|traces|trace/[\d,]+|live/(metrics|tracing)-token)"
    r"|metrics/prometheus|jmap/session|api/principal(?=\?types=\w+&fields=\w))(\?.*)?$"
)


LOOK = "/api/logs?limit=20"
"""Sent twice in a row before the log is read: the second response shows whether the server logs its responses."""

READ = "/api/logs?limit=100"
"""A poll of a log that hardly grows."""


def facts(recording: str) -> dict[Series, float]:
    """What must be shown."""
    rows = json.loads((RECORDINGS / recording / "facts.json").read_text())
    return {(row["name"], tuple(sorted({**row["labels"], "server": "mx1"}.items()))): row["value"] for row in rows}


@pytest.mark.parametrize("recording", ["rest-0.12.5", "rest-0.15.5"])
def test_every_fact_of_a_recording_is_shown(tmp_path: Path, recording: str):
    """Each number appears, and the server is asked nothing but what is allowed, refused nothing, nothing in haste."""
    wanted = facts(recording)
    started = time.monotonic()
    with replay(recording) as (url, server), Exporter(tmp_path, environ=environment(url)) as exporter:

        def missing() -> dict[Series, tuple[float, float | None]]:
            shown = exporter.samples()
            return {
                key: (value, shown.get(key)) for key, value in wanted.items() if shown.get(key) != pytest.approx(value)
            }

        wait_until(lambda: not missing(), what=f"all facts are shown; missing {missing()}", seconds=WITHIN_SECONDS)
        assert time.monotonic() - started < WITHIN_SECONDS

    assert len(wanted) > 80
    for asked in server.asked:
        assert ALLOWED.match(f"{asked.method} {asked.path}"), asked
        assert asked.status not in (401, 403) or asked.identity == "none", asked
    assert reads_of_the_log(server) == [LOOK, LOOK, READ]
    hasty = [first.path for first, second in pairwise(server.asked) if is_hasty(first, second)]
    assert [path for path in hasty if path != LOOK] == []


def is_hasty(first: Asked, second: Asked) -> bool:
    """Whether the same was asked for again within five seconds."""
    return (first.identity, first.path) == (second.identity, second.path) and second.at - first.at <= 5


def reads_of_the_log(server: Replay) -> list[str]:
    """What was asked of the log, the search for the server's version aside."""
    return [asked.path for asked in server.asked if asked.path.startswith("/api/logs") and "filter=" not in asked.path]


@pytest.mark.parametrize("recording", ["rest-0.12.5", "rest-0.15.5"])
def test_a_log_is_looked_at_before_its_first_reading_only(tmp_path: Path, recording: str):
    """The two looks at first contact are the only ones, however often the log is read."""
    with replay(recording) as (url, server):
        config = server_table(url, native=False, intervals={"logs": 1})
        with Exporter(tmp_path, config=config):
            wait_until(lambda: reads_of_the_log(server).count(READ) >= 5, what="the log has been read five times")

    looks, readings = reads_of_the_log(server)[:2], reads_of_the_log(server)[2:]
    assert looks == [LOOK, LOOK]
    assert set(readings) == {READ}


def environment(url: str) -> dict[str, str]:
    """One server by environment alone."""
    return {
        "STALWART_EXPORTER_URL": url,
        "STALWART_EXPORTER_NAME": "mx1",
        "STALWART_EXPORTER_USERNAME": "watcher",
        "STALWART_EXPORTER_PASSWORD": "lab-watcher-secret",
        "STALWART_EXPORTER_NATIVE_USERNAME": "prometheus",
        "STALWART_EXPORTER_NATIVE_PASSWORD": "lab-prometheus-secret",
    }
