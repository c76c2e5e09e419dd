"""Every query that an operator is given: of panels, annotations, variables, rules and runbooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from alerts.promql import names_in
from alerts.rules import alert_groups, recording_groups
from alerts.thresholds import load
from tests.support.alerts.promtool import ALERTS, shipped_rules

ROOT = ALERTS.parent

VARIABLES = {"$job": ".*", "$server": ".*", "$__rate_interval": "15s", "$__range": "5m"}
_SELECTOR = re.compile(r"[a-zA-Z_:][\w:]*(?:\{[^}]*\})?")


@dataclass(frozen=True)
class Query:
    """
    One query.

    Attributes:
        name: Where it stands, for people and for the list of those that may be empty.
    """

    name: str
    expr: str


def may_be_empty(edition: str) -> set[str]:
    """The names of queries that may find nothing on a server of *edition* while all is well."""
    listed = yaml.safe_load((ALERTS.parent / "tests" / "alerts" / "may_be_empty.yaml").read_text())
    groups = [*listed["always"].values(), *listed[edition].values()]
    return {name for names in groups for name in names} | set(shipped_rules())


def listed_as(reason: str) -> set[str]:
    """The names of queries that may be empty for *reason*, on any edition."""
    listed = yaml.safe_load((ALERTS.parent / "tests" / "alerts" / "may_be_empty.yaml").read_text())
    return set(listed["always"][reason])


def every_query(overlay: Path) -> list[Query]:
    """All of them; those of the rules with the thresholds of *overlay*."""
    return [*of_boards(), *of_rules(overlay), *of_runbooks()]


def of_boards() -> Iterator[Query]:
    """The queries of panels, annotations and variables, with everything chosen."""
    for path in sorted((ROOT / "dashboards" / "grafana").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield Query(f"{path.stem} / {panel['title']} / {target['refId']}", _chosen(target["expr"]))
        for annotation in board["annotations"]["list"]:
            yield Query(f"annotation / {annotation['name']}", _chosen(annotation["expr"]))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"])
                assert metric is not None, variable["query"]
                yield Query(f"variable / {variable['name']}", _chosen(metric[1]))


def _chosen(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def of_rules(overlay: Path) -> Iterator[Query]:
    """
    Recording rules; and of alerts, which are empty when all is well, each selection by itself: a label value that does
    not exist would keep an alert quiet for ever.
    """
    thresholds = load(overlay)
    for group in recording_groups(thresholds):
        for rule in group["rules"]:
            window = rule.get("labels", {}).get("window", "")
            yield Query(f"{rule['record']} {window}".strip(), rule["expr"])
    for group in alert_groups(thresholds):
        for rule in group["rules"]:
            yield Query(f"{rule['alert']}", rule["expr"])
            for selection in sorted(selections(rule["expr"])):
                yield Query(f"{rule['alert']} / {selection}", selection)


def selections(expr: str) -> set[str]:
    """The selectors in an expression, without their ranges."""
    names = names_in(expr)
    return {found for found in _SELECTOR.findall(expr) if found.partition("{")[0] in names}


def of_runbooks() -> Iterator[Query]:
    """The lines of the PromQL in the runbooks."""
    for path in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        for block in re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL):
            for number, line in enumerate(block.splitlines(), start=1):
                yield Query(f"runbook {path.stem} / {number}", line)
