"""``domains list``: one line per domain."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.cli.history.text import cell, domain_cell, print_json, table
from exporter.cli.output import console, print_whole
from exporter.history.texts import minute
from exporter.model.posture import CheckResult
from exporter.store.posture.reading import StoredState, read_states
from exporter.store.reading import History

Group = list[StoredState]


def show_list(connection: History, *, server: str | None, bad: bool, as_json: bool) -> int:
    """Print the domains of *server*, or of all; with *bad*, only those with a bad result."""
    groups = [
        group
        for group in by_domain(read_states(connection, server=server))
        if not bad or any(one.state.outcome.result is CheckResult.BAD for one in group)
    ]
    if as_json:
        print_json([_as_json(group) for group in groups])
        return 0
    lines = table("=server", "domain", "bad", "unknown", "=changed", "=checked")
    for group in groups:
        changed = max((one.state.changed_at for one in group if one.state.changed_at is not None), default=None)
        lines.add_row(
            cell(group[0].server),
            domain_cell(group[0].state.outcome.domain),
            cell(", ".join(_checks(group, CheckResult.BAD)) or "-"),
            cell(", ".join(_checks(group, CheckResult.UNKNOWN)) or "-"),
            cell("" if changed is None else minute(changed)),
            cell(minute(max(one.state.checked_at for one in group))),
        )
    if groups:
        print_whole(lines)
    else:
        console.print("No domain has been checked." if not bad else "No domain has a bad result.")
    return 0


def by_domain(states: Iterable[StoredState]) -> list[Group]:
    """Return the states in groups of one server and domain."""
    groups: dict[tuple[str, str], Group] = {}
    for one in states:
        groups.setdefault((one.server, one.state.outcome.domain), []).append(one)
    return list(groups.values())


def _checks(group: Group, result: CheckResult) -> list[str]:
    return [one.state.outcome.check.value for one in group if one.state.outcome.result is result]


def _as_json(group: Group) -> dict[str, object]:
    return {
        "server": group[0].server,
        "domain": group[0].state.outcome.domain,
        "checks": {one.state.outcome.check.value: one.state.outcome.result.value for one in group},
        "changed_at": {one.state.outcome.check.value: one.state.changed_at for one in group},
        "checked_at": max(one.state.checked_at for one in group),
    }
