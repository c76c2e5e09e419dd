"""The verdict: the headline of each situation is true, and its limits are those of the alerts."""

from __future__ import annotations

from dataclasses import replace

from alerts.thresholds import as_numbers, load
from exporter.web.verdict.domains import CONVENIENCE_CHECKS, REPORT_CHECKS
from exporter.web.verdict.events import RULES
from exporter.web.verdict.judge import LEFT_TO_PROMETHEUS
from exporter.web.verdict.thresholds import parse_thresholds, shipped
from tests.support.alerts import promtool
from tests.support.builders.situations import CERTIFICATE, SITUATIONS
from tests.support.builders.verdicts import CALM, HOUR, down, enterprise, holding, past, verdict
from tests.support.listener.app import NOW, status_page


def test_what_is_left_to_prometheus_is_known():
    """Every other alert is shown by some situation, so that it can be called quiet; the fast burn has its own test."""
    told = {problem.alert for situation in SITUATIONS.values() for problem in verdict(situation.page).problems}

    assert set(shipped().alerts) - told - {"StalwartDeliverySloFastBurn"} == LEFT_TO_PROMETHEUS


def test_a_fast_burn_is_judged():
    """An objective above 0.97 makes the fast burn fire before the ratio does."""
    numbers = as_numbers(load())
    numbers["slo"]["objective"] = 0.99
    server = enterprise(recent=past(HOUR, delivered=0.08, permanent_failure=0.02))

    found = verdict(status_page(server, limits=parse_thresholds(numbers)))

    assert [problem.alert for problem in found.problems] == ["StalwartDeliverySloFastBurn"]


def test_the_page_and_the_rules_have_the_same_thresholds():
    """What the package brings along is what the rules are made from."""
    assert shipped() == parse_thresholds(as_numbers(load()))


def test_events_are_those_of_the_rules():
    """Each regular expression stands in its alert's expression."""
    rules = promtool.shipped_rules()

    for rule in RULES:
        assert f'"{rule.events}"' in rules[rule.alert]["expr"], rule.alert


def test_checks_are_those_of_the_rules():
    """The checks that count for reports, and those that count for nothing, are the ones in the alerts' expressions."""
    rules = promtool.shipped_rules()

    assert f'check=~"{"|".join(REPORT_CHECKS)}"' in rules["StalwartReportsNotReceived"]["expr"]
    left_out = "|".join((*REPORT_CHECKS, *CONVENIENCE_CHECKS))
    assert f'check!~"{left_out}"' in rules["StalwartDomainMisconfigured"]["expr"]


def test_an_alert_that_is_not_enabled_is_no_problem():
    """What an operator has switched off is not on the page; a server that is down always is."""
    limits = replace(shipped(), alerts={})
    wrong = enterprise(queue=replace(CALM, running=False, messages=10**6), certificates={CERTIFICATE: NOW})

    assert verdict(status_page(wrong, limits=limits)).problems == []
    assert verdict(status_page(down(), limits=limits)).kind == "bad"


def test_a_condition_turns_red_when_its_alert_is_due():
    """Before the alert's delay has passed a measurement is listed with what is missing; afterwards it is red."""
    backlog = enterprise(queue=replace(CALM, messages=5000))

    early, due = (verdict(status_page(holding(backlog, seconds))).problems[0] for seconds in (120, 900))

    assert (early.kind, early.due, early.held) == ("wait", False, "for 2 min; alert after 15 min")
    assert (due.kind, due.due, due.held) == ("bad", True, "for 15 min")


def test_what_is_wrong_with_a_server_that_does_not_answer_is_that_alone():
    """Its last known queue is no news."""
    server = down(queue=replace(CALM, messages=10**6), certificates={CERTIFICATE: NOW}, recent=past(HOUR))

    assert [problem.alert for problem in verdict(status_page(server)).problems] == ["StalwartServerDown"]


def test_the_summary_counts_over_all_servers():
    """One line says how many are up, how much waits and how many things are wrong."""
    page = status_page(enterprise(), down("mx2"), enterprise(name="mx3", queue=replace(CALM, running=False)))

    assert verdict(page).summary == "2 of 3 servers up, 6 messages queued, 2 recipients failing, 2 problems"
