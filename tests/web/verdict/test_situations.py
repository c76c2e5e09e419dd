"""The headline of each situation is true."""

from __future__ import annotations

import pytest

from exporter.web.verdict.thresholds import shipped
from tests.support.builders.situations import SITUATIONS
from tests.support.builders.verdicts import verdict


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_headline_is_true(name: str):
    """The first line says in words what is wrong and what to do next, and its colour is that of the worst."""
    situation = SITUATIONS[name]

    found = verdict(situation.page)

    assert (found.kind, found.title[: len(situation.says)]) == (situation.kind, situation.says)
    assert found.next_step.startswith(situation.do)
    if found.kind == "good":
        assert not found.problems
    if found.kind == "bad":
        assert found.next_step


def test_every_alert_that_pages_is_judged():
    """Nobody is woken by what the page calls well; the exporter's own absence is all that it cannot show."""
    told = {problem.alert for situation in SITUATIONS.values() for problem in verdict(situation.page).problems}
    paging = {name for name, limit in shipped().alerts.items() if limit.severity == "page"}

    assert paging - told == {"StalwartExporterDown", "StalwartDeliverySloFastBurn"}
