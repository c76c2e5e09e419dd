"""What a dashboard may not lack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from alerts.promql import names_in
from alerts.rules import recording_groups
from alerts.thresholds import load
from exporter.collectors.families import FAMILIES
from exporter.collectors.family import Kind

VARIABLES = ["datasource", "job", "server"]
FOREIGN = ("up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds")
_SUFFIXES = {
    Kind.HISTOGRAM: ("_bucket", "_sum", "_count"),
    Kind.GAUGE_HISTOGRAM: ("_bucket", "_gsum", "_gcount"),
}


def known_metrics() -> set[str]:
    """Every name that a query may use."""
    declared = {f.name + suffix for f in FAMILIES for suffix in _SUFFIXES.get(f.kind, ("",))}
    recorded = {rule["record"] for group in recording_groups(load()) for rule in group["rules"]}
    return declared | recorded | set(FOREIGN)


def complaints(document: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a dashboard."""
    yield from _about_the_board(document)
    known = known_metrics()
    for panel in document["panels"]:
        if panel["type"] == "row":
            continue
        where = f"panel {panel['title']!r}"
        for problem in _about_a_panel(panel):
            yield f"{where}: {problem}"
        for target in panel.get("targets", []):
            for problem in about_an_expression(target["expr"], known):
                yield f"{where}: {problem}"
    for annotation in document["annotations"]["list"]:
        for problem in about_an_expression(annotation["expr"], known):
            yield f"annotation {annotation['name']!r}: {problem}"


def _about_the_board(document: dict[str, Any]) -> Iterator[str]:
    if [variable["name"] for variable in document["templating"]["list"]] != VARIABLES:
        yield f"the variables are not {', '.join(VARIABLES)}"
    if not document.get("links"):
        yield "no links to the other boards"
    if not document.get("description"):
        yield "no description"
    ids = [panel["id"] for panel in document["panels"]]
    if len(set(ids)) != len(ids):
        yield "two panels of one id"
    titles = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    if len(set(titles)) != len(titles):
        yield "two rows of one name"
    previous = ""
    for panel in document["panels"]:
        if previous == panel["type"] == "row":
            yield "a row without panels"
        previous = panel["type"]


def _about_a_panel(panel: dict[str, Any]) -> Iterator[str]:
    if not panel.get("title"):
        yield "no title"
    if len(panel.get("description") or "") < 20:
        yield "no description"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "no unit"
    targets = panel.get("targets") or []
    if not targets:
        yield "no query"
    for source in [panel, *targets]:
        if (source.get("datasource") or {}).get("uid") != "${datasource}":
            yield "its data source is not the variable"
    if len({target["refId"] for target in targets}) != len(targets):
        yield "two queries of one name"


def about_an_expression(expr: str, known: set[str]) -> Iterator[str]:
    """What is wrong with a query of a panel."""
    for label, value in re.findall(r'\b(job|server|instance)\s*=~?\s*"([^"]*)"', expr):
        if value != f"${label}":
            yield f'{label}="{value}" is written out'
    for name in sorted(names_in(expr) - known):
        yield f"no metric is called {name}"
    if "stalwart" in expr and "$job" not in expr and "target:" not in expr and "ALERTS" not in expr:
        yield "the variable job selects nothing"
