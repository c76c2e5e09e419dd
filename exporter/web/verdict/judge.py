"""The first lines of the overview: whether there is a problem, what, where, since when, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.web.interfaces import CollectorState, ServerStatus, StatusPage
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.deliveries import sees_deliveries
from exporter.web.verdict.server import server_conditions
from exporter.web.verdict.thresholds import Threshold, Thresholds, shipped
from exporter.web.words import count, duration

PROBLEMS_SHOWN = 12

PAGE = "page"

AT_ONCE = Threshold(PAGE, 0.0, {})
"""For a server that is down, if the alert about it is disabled."""


LEFT_TO_PROMETHEUS = frozenset(
    {
        *("StalwartArfComplaints", "StalwartDmarcFailureSpike", "StalwartDmarcReporterSilent"),
        *("StalwartTlsReportFailures", "StalwartDeliverySloSlowBurn"),
        *("StalwartRelayBudget", "StalwartReportLoop", "StalwartMailboxFilling", "StalwartKnownDefect"),
        *("StalwartServedCertificateInvalid", "StalwartServedCertificateExpiring", "StalwartCertificateNotServed"),
        "StalwartAddressListed",
        *("StalwartExporterDown", "StalwartExporterHistoryLost", "StalwartExporterReloadFailed", "Watchdog"),
    }
)
"""Alerts not judged: on reports, budgets, mailboxes, served certificates, lists, the exporter itself, three days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    A problem as the page lists it.

    Attributes:
        kind: ``bad`` if its alert pages and is due, otherwise ``wait``.
        due: Whether its condition has held for the alert's delay, or needs none.
        alert: Name of the alert and of its runbook; empty if there is none.
        held: How long it has held, and how long until its alert fires; empty if unknown.
        last_good_at: ``None`` if it was never good, or if that is unknown.
    """

    where: str
    what: str
    do: str
    kind: str
    due: bool = True
    alert: str = ""
    held: str = ""
    last_good_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    The overall state.

    Attributes:
        kind: ``good``, ``wait`` (nothing pages, but there is a problem or a server without a response yet) or ``bad``.
        title: The most severe problem, or that there is none.
        next_step: What to do about it; empty if there is nothing to do.
        summary: Servers, queued messages and recipients in failure, in one line.
        problems: At most `PROBLEMS_SHOWN`, the most severe first.
    """

    kind: str
    title: str
    next_step: str
    summary: str
    problems: Sequence[Problem]
    problems_left_out: int


def judge(page: StatusPage, *, now: datetime, problems: Sequence[Problem] | None = None) -> Verdict:
    """Return the verdict on a page as of *now*; *problems* are its problems, if they have been found already."""
    limits = page.limits or shipped()
    if problems is None:
        problems = find_problems(page, now=now)
    worst = problems[0] if problems else None
    waiting = not page.servers or any(_is_waiting(server) for server in page.servers)
    return Verdict(
        kind=worst.kind if worst else "wait" if waiting else "good",
        title=_worst_in_words(worst) if worst else _none_in_words(page, waiting, limits),
        next_step=worst.do if worst else _how_to_see_deliveries(page) if not waiting else "",
        summary=_summary(page, len(problems)),
        problems=problems[:PROBLEMS_SHOWN],
        problems_left_out=max(0, len(problems) - PROBLEMS_SHOWN),
    )


def find_problems(page: StatusPage, *, now: datetime) -> Sequence[Problem]:
    """Return all problems as of *now*, the most severe first."""
    limits = page.limits or shipped()
    found = [*_store(page, limits)]
    for server in page.servers:
        found += [_problem(server, c, limits) for c in server_conditions(server, limits, now)]
    return sorted(found, key=_rank)


_ORDER = (
    "StalwartServerDown",
    "StalwartCredentialsRefused",
    "StalwartStoreErrors",
    "StalwartQueuePaused",
    "StalwartDeliveriesStalled",
    "StalwartQueueStuck",
    "StalwartLocalMailHeld",
    "StalwartAuthenticationErrors",
    "StalwartCertificateAboutToExpire",
)
"""What stops mail comes first; all others keep their order: queue, deliveries, certificates, collectors."""


def _rank(problem: Problem) -> tuple[bool, int]:
    place = _ORDER.index(problem.alert) if problem.alert in _ORDER else len(_ORDER)
    return problem.kind != "bad", place


def _problem(server: ServerStatus, condition: Condition, limits: Thresholds) -> Problem:
    held = server.recent.held_seconds(condition.key) if server.recent is not None else 0.0
    limit = limits.get(condition.alert) or AT_ONCE
    due = condition.at_once or held >= limit.for_seconds
    since = f"for {duration(held)}" if held >= 1 else ""
    return Problem(
        where=server.name,
        what=condition.what,
        do=condition.do,
        kind="bad" if due and limit.severity == PAGE else "wait",
        due=due,
        alert=condition.alert,
        held=since if due else f"{since}; alert after {duration(limit.for_seconds)}".lstrip("; "),
        last_good_at=condition.last_good_at,
    )


def _store(page: StatusPage, limits: Thresholds) -> Iterator[Problem]:
    limit = limits.get("StalwartExporterStoreErrors")
    if limit is not None and page.store is not None and not page.store.ok:
        yield Problem(
            where="history",
            what=page.store.error or "cannot be used",
            do="Free some space, or make the file writable for the exporter's user.",
            kind="bad" if limit.severity == PAGE else "wait",
            alert="StalwartExporterStoreErrors",
        )


def _worst_in_words(worst: Problem) -> str:
    return f"{worst.where} {worst.what}" if worst.what.startswith("is ") else f"{worst.where}: {worst.what}"


def _none_in_words(page: StatusPage, waiting: bool, limits: Thresholds) -> str:
    if not page.servers:
        return "No server is configured"
    if waiting:
        return "Waiting for the first polls"
    if not all(sees_deliveries(server) for server in page.servers):
        return "No problem seen, but deliveries are not visible"
    failing = sum(server.queue.failing for server in page.servers if server.queue is not None)
    limit = limits.get("StalwartDestinationDeferring")
    if limit is not None and failing > limit["recipients"]:
        return f"No single destination fails; failing recipients: {failing}"
    return "All is well"


def _how_to_see_deliveries(page: StatusPage) -> str:
    blind = [server for server in page.servers if not sees_deliveries(server)]
    logs = [c.words for server in blind for c in server.capabilities if c.name == "logs" and c.words]
    return f"{blind[0].name}, logs: {logs[0]}" if logs else ""


def _summary(page: StatusPage, problems: int) -> str:
    up = sum(1 for server in page.servers if server.up)
    parts = [f"{up} of {count(len(page.servers), 'server')} up"] if page.servers else []
    queues = [server.queue for server in page.servers if server.queue is not None]
    if queues:
        parts.append(f"{count(sum(queue.messages for queue in queues), 'message')} queued")
        parts.append(f"{count(sum(queue.failing for queue in queues), 'recipient')} failing")
    if problems > 1:
        parts.append(count(problems, "problem"))
    return ", ".join(parts)


def _is_waiting(server: ServerStatus) -> bool:
    return server.up is None or any(c.state is CollectorState.WAITING for c in server.collectors)
