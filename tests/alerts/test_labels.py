"""An annotation names only labels that the alert has, whichever part of its expression it came from."""

from __future__ import annotations

import re
from functools import cache

import pytest
import yaml

from tests.support.alerts import promtool
from tests.support.alerts.labels import TARGET, Labels, kinds
from tests.support.paths import ROOT

CASES, RULES = promtool.load_cases(), promtool.shipped_rules()
DOCUMENTED = ROOT / "docs" / "metrics.md"

_GUARDED = re.compile(r"{{-? *(?:with|if) +\$labels\.\w+ *-?}}")
_USED = re.compile(r"\$labels\.(\w+)")


@cache
def documented() -> dict[str, Labels]:
    """The labels of each metric."""
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \|", DOCUMENTED.read_text(), re.MULTILINE)
    return {"up": frozenset(), **{name: frozenset(re.findall(r"`(\w+)`", labels)) for name, labels in rows}}


@cache
def recorded() -> dict[str, list[tuple[str, Labels]]]:
    """The expressions of each recording rule, with the labels that it adds."""
    found: dict[str, list[tuple[str, Labels]]] = {}
    for group in yaml.safe_load(promtool.RECORDING.read_text())["groups"]:
        for rule in group["rules"]:
            found.setdefault(rule["record"], []).append((rule["expr"], frozenset(rule.get("labels", ()))))
    return found


def labels_of(expr: str) -> list[Labels]:
    return list(kinds(expr, documented(), recorded()))


@pytest.mark.parametrize("alert", RULES)
def test_annotations_name_labels_that_are_there(alert: str):
    """Each label in an annotation is in every kind of series of the expression, or asked for first."""
    rule = RULES[alert]
    found = labels_of(rule["expr"])

    assert found
    for annotation in rule["annotations"].values():
        used = set(_USED.findall(_GUARDED.sub("", annotation)))
        for labels in found:
            assert used <= labels, f"{alert}: {sorted(used - labels)} may be missing in: {annotation}"


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        ("stalwart_queue_messages > 5", [TARGET | {"server"}]),
        ("sum without (queue) (stalwart_queue_overdue_recipients) > 5", [TARGET | {"server"}]),
        ("sum by (job) (stalwart_queue_messages)", [{"job"}]),
        ("sum(stalwart_queue_messages) by (server)", [{"server"}]),
        ("up == 0 or group by (job) (last_over_time(up[1h]))", [TARGET, {"job"}]),
        ("up and on (job) stalwart_queue_messages", [TARGET]),
        ("time() - stalwart_queue_oldest_message_timestamp_seconds > 2 * 3", [TARGET | {"server"}]),
        ("stalwart_queue_messages / on (server) stalwart_queue_bytes", [{"server"}]),
        ('label_replace(stalwart_queue_messages, "kind", "x", "", "") + 1', [TARGET | {"server", "kind"}]),
        ("vector(1)", [set()]),
    ],
)
def test_labels_are_derived_as_prometheus_does(expr: str, wanted: list[set[str]]):
    """The derivation knows what each operator keeps."""
    assert labels_of(expr) == [frozenset(labels) for labels in wanted]


@pytest.mark.parametrize(("alert", "name"), [(a, n) for a, about in CASES.items() for n in about])
def test_the_rule_engine_gives_the_labels_that_are_derived(alert: str, name: str):
    """The labels of each alert that `promtool` has seen firing are of one of the kinds derived."""
    case = CASES[alert][name]
    found = labels_of(RULES[alert]["expr"])
    for alerts in case["expect"].values() if isinstance(case, dict) else ():
        for one in alerts:
            fired = promtool.expected(alert, RULES[alert], {"board": ""}, one)["exp_labels"]
            assert frozenset(fired) - {"severity"} in found
