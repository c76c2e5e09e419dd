"""What the demo says while it plays its day."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from exporter.cli.demo.playing import demo_thresholds
from exporter.cli.demo.prometheus import scaled
from exporter.web.verdict.thresholds import parse_thresholds, shipped
from tests.support.commands import command_line, environment
from tests.support.exporter import wait_until


def test_alerts_are_as_quick_as_the_day():
    """A delay of 15 minutes is three seconds of a day in five minutes; what fires at once still does."""
    scaled, real = parse_thresholds(demo_thresholds(288.0)).alerts, shipped().alerts

    assert scaled.keys() == real.keys()
    assert scaled["StalwartQueuePaused"].for_seconds == 3
    assert {name for name, limit in scaled.items() if not limit.for_seconds} == {
        name for name, limit in real.items() if not limit.for_seconds
    }
    assert scaled["StalwartLoginFailures"].values == real["StalwartLoginFailures"].values


def firing(prometheus: str) -> set[str]:
    """The alerts that fire in a Prometheus; none while it starts."""
    try:
        data = httpx.get(f"{prometheus}/api/v1/alerts", timeout=60).json()["data"]
    except httpx.HTTPError:
        return set()
    return {alert["labels"]["alertname"] for alert in data["alerts"] if alert["state"] == "firing"}


def test_the_rules_are_as_fast_as_the_day():
    """Windows and delays are divided, a window to no less than what a rate needs."""
    rules = "    expr: increase(a[1h]) > 3 * b\n    for: 15m\n  - expr: rate(c[5m])\n    for: 0s\n"

    assert (
        scaled(rules, 60) == "    expr: increase(a[60s]) > 3 * b\n    for: 15s\n  - expr: rate(c[10s])\n    for: 0s\n"
    )


@pytest.mark.parametrize(("generation", "version"), [("rest", "0.15.5"), ("jmap", "0.16.18")])
def test_what_begins_is_told_with_the_time_of_the_day(tmp_path: Path, generation: str, version: str):
    """Beside the addresses of all pages, each of which answers."""
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            command_line("demo", "--listen", "127.0.0.1:0", "--speed", "1440", "--generation", generation),
            env=environment(tmp_path, {}),
            cwd=tmp_path,
            stdout=file,
            stderr=file,
        )
    try:
        wait_until(lambda: "03:00  more mail is sent" in out.read_text(), what="the queue begins to grow", seconds=300)
        told = out.read_text()
        pages = re.findall(r"^(http://\S+)", told, re.MULTILINE)
        assert len(pages) >= 5
        assert [httpx.get(page, timeout=120).status_code for page in pages] == [200] * len(pages)
        assert f"A simulated Stalwart ({version}, enterprise)" in told
        assert "00:00  a calm night" in told
        assert process.poll() is None
        if generation == "rest":
            (prometheus,) = re.findall(r"(http://\S+)/alerts$", told, re.MULTILINE)[-1:]
            wait_until(lambda: firing(prometheus) - {"Watchdog"}, what="an alert fires in the day", seconds=300)
    finally:
        process.terminate()
        process.wait(120)
