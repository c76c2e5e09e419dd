"""``domains list``: one line per domain."""

from __future__ import annotations

from exporter.cli.history.text import cell, domain_cell, print_json, table
from exporter.cli.output import console, print_whole
from exporter.history.checks import Group, by_domain, named, owner_of, part_of
from exporter.history.texts import minute
from exporter.model.posture import Check, CheckResult
from exporter.store.posture.reading import read_states
from exporter.store.reading import History


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
            domain_cell(owner_of(group[0])),
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


def _checks(group: Group, result: CheckResult) -> list[str]:
    parts: dict[str, list[str]] = {}
    for one in group:
        if one.state.outcome.result is result:
            parts.setdefault(one.state.outcome.check.value, []).append(part_of(one))
    return [named(check, found) for check, found in parts.items()]


def _as_json(group: Group) -> dict[str, object]:
    listeners: dict[str, dict[str, str]] = {}
    blocklists: dict[str, str] = {}
    for one in group:
        outcome, part = one.state.outcome, part_of(one)
        if outcome.check is Check.BLOCKLISTS:
            blocklists[part] = outcome.result.value
        elif part:
            listeners.setdefault(part, {})[outcome.check.value] = outcome.result.value
    whole = [one for one in group if not part_of(one)]
    return {
        "server": group[0].server,
        "domain": owner_of(group[0]),
        "checks": {one.state.outcome.check.value: one.state.outcome.result.value for one in whole},
        "changed_at": {one.state.outcome.check.value: one.state.changed_at for one in whole},
        "listeners": listeners,
        "blocklists": blocklists,
        "checked_at": max(one.state.checked_at for one in group),
    }
