"""``/alerts``: what the shipped rules would say now; ``/alerts/<name>``: the runbook of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from exporter.web.interfaces import StatusPage
from exporter.web.pages.alerts.runbooks import INDEX_NAME, names, runbook
from exporter.web.pages.base import respond
from exporter.web.pages.servers.badges import BADGES
from exporter.web.pages.visit import Visit
from exporter.web.verdict.judge import LEFT_TO_PROMETHEUS, PAGE, Problem, find_problems
from exporter.web.verdict.thresholds import Threshold, shipped
from exporter.web.words import duration

STATES = PAGES, FIRES, PENDING, QUIET, LEFT = (
    ("bad", "fires"),
    ("wait", "fires"),
    ("wait", "pending"),
    ("good", "quiet"),
    ("off", "left to Prometheus"),
)
"""The badges of an alert, in the order of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """
    One alert.

    Attributes:
        state: Its badge: a kind, and the word in it.
        severity: What the rule does.
        delay: How long its condition has to hold, in words; empty if it fires at once.
        problems: Where its condition holds now.
    """

    name: str
    state: tuple[str, str]
    severity: str
    delay: str
    problems: Sequence[Problem]


async def alerts(visit: Visit) -> Response:
    """Return the list of the alerts."""
    rows = alert_rows(visit.source.status(), visit)
    return respond(visit, "alerts.html", title="Alerts", section="alerts", rows=rows, index=INDEX_NAME, **BADGES)


async def alert(visit: Visit) -> Response:
    """Return the runbook of the alert that the path names, with where it holds now."""
    name = visit.arguments["name"]
    found = runbook(name)
    if found is None:
        text = "There is no runbook of this name. The list of alerts has all of them."
        return respond(visit, "message.html", title="Not found", status=404, kind="wait", text=text)
    problems = [problem for problem in find_problems(visit.source.status(), now=visit.now) if problem.alert == name]
    return respond(
        visit, "runbook.html", title=found.title, section="alerts", runbook=found, problems=problems, **BADGES
    )


def alert_rows(page: StatusPage, visit: Visit) -> Sequence[AlertRow]:
    """Return all alerts that are enabled, those that would fire first."""
    limits = page.limits or shipped()
    problems = find_problems(page, now=visit.now)
    rows = [
        _row(name, limit, [problem for problem in problems if problem.alert == name])
        for name, limit in limits.alerts.items()
        if name in names()
    ]
    return sorted(rows, key=lambda row: (STATES.index(row.state), row.severity, row.name))


def _row(name: str, limit: Threshold, problems: Sequence[Problem]) -> AlertRow:
    due = [problem for problem in problems if problem.due]
    if due:
        state = PAGES if limit.severity == PAGE else FIRES
    elif problems:
        state = PENDING
    elif name in LEFT_TO_PROMETHEUS:
        state = LEFT
    else:
        state = QUIET
    return AlertRow(
        name=name,
        state=state,
        severity=limit.severity,
        delay=duration(limit.for_seconds) if limit.for_seconds else "",
        problems=problems,
    )
