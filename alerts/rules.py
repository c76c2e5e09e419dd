"""Rules as Prometheus reads them, made from `source/` and the thresholds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from alerts.thresholds import as_numbers, fill, find

SOURCE = Path(__file__).with_name("source")
ALERT_FILES = ("queue", "delivery", "server", "reports", "exporter")

THRESHOLDS = "thresholds.json"

HEADER = "# Made from alerts/source and alerts/thresholds.yaml by `python -m alerts --write`. Do not edit.\n"

ONLY_ITS_SERVER = "{{ with $labels.server }}?var-server={{ . }}{{ end }}"

Rule = dict[str, Any]
Groups = list[dict[str, Any]]


def recording_groups(thresholds: Mapping[str, Any]) -> Groups:
    """The recording rules."""
    return [
        {"name": group["name"], "rules": [made for rule in group["rules"] for made in _recordings(rule, thresholds)]}
        for group in _source("recording")
    ]


def _recordings(rule: Rule, thresholds: Mapping[str, Any]) -> Iterator[Rule]:
    if "for_each_window" not in rule:
        yield {"record": rule["record"], "expr": _expression(rule, {}, thresholds)}
        return
    windows = dict.fromkeys(find(thresholds, path) for path in rule["for_each_window"])
    for window in windows:
        expr = _expression(rule, {"window": window}, thresholds)
        yield {"record": rule["record"], "expr": expr, "labels": {"window": window}}


def alert_groups(thresholds: Mapping[str, Any]) -> Groups:
    """The alerting rules; an alert that is not enabled is left out."""
    groups = []
    for name in ALERT_FILES:
        rules = [
            _alert(rule, values, thresholds)
            for rule in _source(name)
            if (values := thresholds["alerts"][rule["alert"]]).get("enabled", True)
        ]
        groups.append({"name": f"stalwart-{name}-alerts", "rules": rules})
    return [group for group in groups if group["rules"]]


def _alert(rule: Rule, values: Mapping[str, Any], thresholds: Mapping[str, Any]) -> Rule:
    name = rule["alert"]
    links = thresholds["links"]
    return {
        "alert": name,
        "expr": _expression(rule, values, thresholds),
        "for": values["for"],
        "labels": {"severity": values["severity"]},
        "annotations": {
            "summary": fill(rule["summary"], values, thresholds),
            "description": fill(rule["description"], values, thresholds),
            "runbook_url": f"{links['runbooks'].rstrip('/')}/{name}.md",
            "dashboard_url": f"{links['grafana'].rstrip('/')}/d/stalwart-{rule['board']}{ONLY_ITS_SERVER}",
        },
    }


def _expression(rule: Rule, values: Mapping[str, Any], thresholds: Mapping[str, Any]) -> str:
    return fill(rule["expr"], values, thresholds).strip()


def _source(name: str) -> Any:
    return yaml.safe_load((SOURCE / f"{name}.yaml").read_text(encoding="utf-8"))


class _Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as they are read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def to_yaml(content: Mapping[str, Any]) -> str:
    """*content* as a rule file."""
    return HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def documents(thresholds: Mapping[str, Any]) -> dict[str, str]:
    """
    The files: two for Prometheus, the same as one object for the Prometheus operator, and the thresholds by which the
    exporter's status page judges.
    """
    recording, alerting = recording_groups(thresholds), alert_groups(thresholds)
    prometheus_rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "stalwart", "labels": {"app.kubernetes.io/name": "stalwart-exporter"}},
        "spec": {"groups": recording + alerting},
    }
    return {
        "stalwart-recording.rules.yml": to_yaml({"groups": recording}),
        "stalwart-alerts.rules.yml": to_yaml({"groups": alerting}),
        "stalwart-prometheusrule.yaml": to_yaml(prometheus_rule),
        THRESHOLDS: json.dumps(as_numbers(thresholds), indent=2) + "\n",
    }
