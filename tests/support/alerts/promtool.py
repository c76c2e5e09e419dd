"""Test files for `promtool test rules`, made from the shorter form in `cases/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

CASES = ROOT / "tests" / "alerts" / "cases"
ALERTS = ROOT / "alerts"

RECORDING = ALERTS / "stalwart-recording.rules.yml"

TARGET = {"job": "mail", "instance": "exporter:9787"}
"""The labels of the target, which no rule may name and none may lose."""

EVERY_ALERT_HAS = ("fires_and_resolves", "stays_quiet", "absent", "restarted")

Case = Mapping[str, Any]


def load_cases() -> dict[str, dict[str, Any]]:
    """The cases by alert and name; its board, and the intervals of its samples and evaluations, stand beside them."""
    return {name: case for file in sorted(CASES.glob("*.yaml")) for name, case in _read(file).items()}


def _read(path: Path) -> dict[str, Any]:
    # BaseLoader: everything is text. Elsewhere YAML takes promtool's 0x90 for a hexadecimal number.
    return dict(yaml.load(path.read_text(), Loader=yaml.BaseLoader))  # noqa: S506 - makes texts, lists and mappings only


def shipped_rules() -> dict[str, dict[str, Any]]:
    """The alerting rules in the repository, by name."""
    groups = _read(ALERTS / "stalwart-alerts.rules.yml")["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def recording_groups() -> list[str]:
    """The names of the groups of recording rules."""
    return [group["name"] for group in _read(RECORDING)["groups"]]


def test_file(alert: str, about: Mapping[str, Any], case: Case, folder: Path) -> Path:
    """Writes the file for one case, and beside it the rules it needs, into *folder*."""
    rule = shipped_rules()[alert]
    (folder / "alert.yml").write_text(yaml.safe_dump({"groups": [{"name": "tested", "rules": [rule]}]}))
    interval = about.get("interval", "1m")
    test = {
        "interval": interval,
        "input_series": [{"series": with_target(s), "values": values} for s, values in case["input"].items()],
        "alert_rule_test": [
            {"eval_time": at, "alertname": alert, "exp_alerts": [expected(alert, rule, about, one) for one in alerts]}
            for at, alerts in case["expect"].items()
        ],
    }
    recorded = ":" in rule["expr"]
    whole = {
        "rule_files": ["alert.yml", *([str(RECORDING)] if recorded else [])],
        "group_eval_order": [*(recording_groups() if recorded else []), "tested"],
        "evaluation_interval": about.get("evaluate", interval),
        "tests": [test],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump(whole))
    return path


def with_target(series: str) -> str:
    """*series* with the labels of the target, as a scrape would add them."""
    name, _, labels = series.partition("{")
    given = re.findall(r"(\w+)=", labels)
    more = [f'{key}="{value}"' for key, value in TARGET.items() if key not in given]
    return f"{name}{{{','.join([*more, labels.rstrip('}')]).rstrip(',')}}}"


def expected(alert: str, rule: Mapping[str, Any], about: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    """An expected alert with what every alert must have."""
    labels = {**TARGET, "severity": rule["labels"]["severity"], **one["labels"], **one.get("values", {})}
    server = labels.get("server")
    return {
        "exp_labels": {name: value for name, value in labels.items() if value != ""},
        "exp_annotations": {
            "summary": one["summary"],
            "description": one["description"],
            "runbook_url": f"docs/runbooks/{alert}.md",
            "dashboard_url": f"/d/stalwart-{about['board']}" + (f"?var-server={server}" if server else ""),
        },
    }
