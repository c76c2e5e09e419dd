"""Each alert on the real rule engine: it fires, it stays quiet, it resolves, and gaps and restarts do not fool it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.alerts import promtool

CASES = promtool.load_cases()
NAMED = [
    pytest.param(alert, name, id=f"{alert}-{name}")
    for alert, about in CASES.items()
    for name in about
    if name not in ("board", "interval", "evaluate")
]


def run(*command: str) -> str:
    """What *command* prints; fails with it where the exit status is not 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("alert", "name"), NAMED)
def test_the_rule(alert: str, name: str, tmp_path: Path):
    """`promtool test rules` agrees with the case."""
    path = promtool.test_file(alert, CASES[alert], CASES[alert][name], tmp_path)

    print(run("promtool", "test", "rules", str(path)))


def test_every_alert_is_tested_in_every_way():
    """No alert without cases that fire and resolve, stay quiet, and see series vanish and restart."""
    untested = {
        alert: [name for name in promtool.EVERY_ALERT_HAS if name not in CASES.get(alert, {})]
        for alert in promtool.shipped_rules()
        if alert != "Watchdog"
    }

    assert {alert: missing for alert, missing in untested.items() if missing} == {}
    for alert, about in CASES.items():
        expected = list(about["fires_and_resolves"]["expect"].values())
        assert [bool(alerts) for alerts in expected] == [False, True, False], alert
        for name in ("stays_quiet", "absent", "restarted"):
            assert not any(about[name]["expect"].values()), f"{alert} {name}"


def test_the_watchdog_always_fires(tmp_path: Path):
    """The dead man's switch needs no series at all."""
    watchdog = {
        "labels": {"job": "", "instance": ""},
        "summary": "Alerting works",
        "description": "Always firing. Route it to an external dead man's switch that calls you when notifications "
        "stop.",
    }
    case = {"input": {}, "expect": {"0m": [watchdog], "60m": [watchdog]}}

    path = promtool.test_file("Watchdog", {"board": "overview"}, case, tmp_path)

    run("promtool", "test", "rules", str(path))


def test_promtool_accepts_the_rule_files():
    """Syntax, duplicates and templates, by the tool of the Prometheus that loads them."""
    output = run("promtool", "check", "rules", *map(str, sorted(promtool.ALERTS.glob("*.rules.yml"))))

    assert output.count("SUCCESS") == 2
