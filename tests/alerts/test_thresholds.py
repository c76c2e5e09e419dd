"""Thresholds have one place, can be overridden, and a slip in an override is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from alerts.__main__ import PACKAGED
from alerts.rules import THRESHOLDS, alert_groups, documents
from alerts.thresholds import ThresholdsError, load, seconds
from tests.alerts.test_rules import run
from tests.support.alerts import promtool

ROOT = promtool.ALERTS.parent
RUNBOOKS = ROOT / "docs" / "runbooks"


def rules_of(thresholds: dict[str, object]) -> dict[str, dict[str, object]]:
    """Alerting rules by name."""
    return {rule["alert"]: rule for group in alert_groups(thresholds) for rule in group["rules"]}


def test_the_committed_rule_files_are_in_sync():
    """What is in the repository is what the sources and thresholds say."""
    for name, text in documents(load()).items():
        path = PACKAGED if name == THRESHOLDS else promtool.ALERTS / name
        assert path.read_text() == text, f"{name}: run `python -m alerts --write`"


def test_every_alert_has_everything_an_operator_needs():
    """Severity, delay, summary and description with values, a runbook that exists, and a board that exists."""
    boards = {path.stem for path in (ROOT / "dashboards" / "grafana").glob("*.json")}
    for name, rule in promtool.shipped_rules().items():
        assert rule["labels"]["severity"] in (("none",) if name == "Watchdog" else ("page", "ticket"))
        assert "for" in rule
        annotations = rule["annotations"]
        assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
        if name != "Watchdog":
            assert "$labels" in annotations["summary"] + annotations["description"]
        assert (RUNBOOKS / f"{name}.md").exists()
        assert annotations["runbook_url"].endswith(f"/{name}.md")
        assert annotations["dashboard_url"].partition("{")[0].rpartition("/")[2] in boards


def test_every_threshold_belongs_to_an_alert():
    """No entry without a rule, no rule without an entry."""
    assert set(load()["alerts"]) == set(promtool.shipped_rules())


def test_the_burn_rate_alerts_can_fire():
    """Notices of failure are deliveries, so that the share given up never passes a half."""
    thresholds = load()
    factors = [values["factor"] for values in thresholds["alerts"].values() if "factor" in values]

    assert max(factors) * (1 - thresholds["slo"]["objective"]) < 0.5


def test_an_override_changes_numbers_delays_severities_and_links(tmp_path: Path):
    """Only what is written in the override changes."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(
        "links: {runbooks: https://wiki.example.org/mail/, grafana: https://grafana.example.org}\n"
        "slo: {objective: 0.9}\n"
        "alerts:\n"
        "  StalwartQueueBacklog: {messages: 20000, for: 1h, severity: ticket}\n"
        "  StalwartDeliverySloFastBurn: {long: 2h}\n"
        "  StalwartQueueGrowing: {enabled: false}\n"
    )

    thresholds = load(overlay)
    changed = rules_of(thresholds)
    backlog = changed["StalwartQueueBacklog"]

    assert (backlog["expr"], backlog["for"]) == ("stalwart_queue_messages > 20000", "1h")
    assert backlog["labels"] == {"severity": "ticket"}
    assert backlog["annotations"]["runbook_url"] == "https://wiki.example.org/mail/StalwartQueueBacklog.md"
    assert backlog["annotations"]["dashboard_url"].startswith("https://grafana.example.org/d/stalwart-queue")
    assert '{window="2h"} > 14.4 * (1 - 0.9)' in changed["StalwartDeliverySloFastBurn"]["expr"]
    assert "window: 2h" in documents(thresholds)["stalwart-recording.rules.yml"]
    assert "StalwartQueueGrowing" not in changed
    assert changed["StalwartQueuePaused"]["expr"] == promtool.shipped_rules()["StalwartQueuePaused"]["expr"]


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ("alerts: {StalwartQueueBaclog: {messages: 5}}", "alerts.StalwartQueueBaclog: there is no such threshold"),
        ("alerts: {StalwartQueueBacklog: {mesages: 5}}", "alerts.StalwartQueueBacklog.mesages: there is no such"),
        ("alerts: {StalwartQueueBacklog: {for: 5}}", "alerts.StalwartQueueBacklog.for: a duration"),
        ("alerts: {StalwartQueueBacklog: {messages: many}}", "alerts.StalwartQueueBacklog.messages: a number"),
        ("alerts: {StalwartQueueBacklog: {severity: critical}}", "alerts.StalwartQueueBacklog.severity: one of"),
        ("alerts: {StalwartQueueBacklog: 5}", "alerts.StalwartQueueBacklog: not a mapping"),
        ("alerts: [", "mine.yaml"),
        ("5", "mine.yaml: not a mapping"),
    ],
)
def test_a_slip_in_an_override_is_told_with_its_path(overlay: str, says: str, tmp_path: Path):
    """A threshold that does not exist would otherwise leave the shipped one in force, unnoticed."""
    path = tmp_path / "mine.yaml"
    path.write_text(overlay)

    with pytest.raises(ThresholdsError) as caught:
        load(path)

    assert says in str(caught.value)


def test_the_command_writes_rules_that_prometheus_accepts(tmp_path: Path):
    """As the documentation says: a file of one's own, a folder of one's own."""
    (tmp_path / "mine.yaml").write_text("alerts: {StalwartQueueBacklog: {messages: 7}}")
    command = [sys.executable, "-m", "alerts", "--thresholds", str(tmp_path / "mine.yaml")]
    output = ["--output", str(tmp_path / "rules")]

    subprocess.run([*command, *output, "--write"], cwd=ROOT, check=True)
    checked = subprocess.run([*command, *output, "--check"], cwd=ROOT, check=False)
    shipped = subprocess.run(
        [sys.executable, "-m", "alerts", *output, "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )

    run("promtool", "check", "rules", *map(str, (tmp_path / "rules").glob("*.rules.yml")))
    written = yaml.safe_load((tmp_path / "rules" / "stalwart-alerts.rules.yml").read_text())
    assert written["groups"][0]["rules"][0]["expr"] == "stalwart_queue_messages > 7"
    assert json.loads((tmp_path / "rules" / THRESHOLDS).read_text())["alerts"]["StalwartQueueBacklog"]["messages"] == 7
    assert checked.returncode == 0
    assert shipped.returncode == 1
    assert "stalwart-alerts.rules.yml is not what" in shipped.stderr


def test_the_command_does_not_mix_overrides_into_the_shipped_files(tmp_path: Path):
    """Without a folder of its own an override is refused, and nothing is written."""
    (tmp_path / "mine.yaml").write_text("alerts: {StalwartQueueBacklog: {messages: 7}}")
    command = [sys.executable, "-m", "alerts", "--write", "--thresholds", str(tmp_path / "mine.yaml")]

    refused = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert refused.returncode == 2
    assert "--output" in refused.stderr
    test_the_committed_rule_files_are_in_sync()


@pytest.mark.parametrize(("duration", "wanted"), [("90s", 90), ("1h30m", 5400), ("2d", 172800), ("500ms", 0.5)])
def test_durations_become_seconds(duration: str, wanted: float):
    """Where an expression compares with seconds."""
    assert seconds(duration) == wanted


def test_the_operator_object_holds_the_same_groups():
    """The PrometheusRule for Kubernetes is the two rule files in one."""
    files = [yaml.safe_load((promtool.ALERTS / f"stalwart-{n}.rules.yml").read_text()) for n in ("recording", "alerts")]
    wrapped = yaml.safe_load((promtool.ALERTS / "stalwart-prometheusrule.yaml").read_text())

    assert wrapped["kind"] == "PrometheusRule"
    assert wrapped["spec"]["groups"] == [group for file in files for group in file["groups"]]
