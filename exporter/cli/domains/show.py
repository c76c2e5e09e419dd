"""``domains show``: the checks of one domain, and the records that make them good."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from exporter.cli.history.text import cell, print_json, table
from exporter.cli.output import complain, console, plain, print_whole
from exporter.domains import shown_domain
from exporter.history.checks import (
    CHANGES_SHOWN,
    Group,
    by_domain,
    changes_of,
    lines_of,
    named,
    owner_of,
    part_of,
    records_to_publish,
)
from exporter.history.texts import minute, stamp
from exporter.model.posture import CheckResult, CheckState, Record, split_subject
from exporter.store.posture.reading import read_changes, read_states
from exporter.store.reading import History

EXIT_NOT_FOUND = 3
COLOURS = {CheckResult.GOOD: "green", CheckResult.BAD: "red", CheckResult.UNKNOWN: "yellow"}


def show_domain(connection: History, domain: str, *, server: str | None, records: bool, as_json: bool) -> int:
    """Print the checks of *domain*, once per server that has it; *records*: only what to publish."""
    groups = by_domain(read_states(connection, server=server, domain=domain))
    if not groups:
        complain(f"{domain}: has not been checked; `domains list` shows what has")
        return EXIT_NOT_FOUND
    if as_json:
        print_json([_as_json(connection, group) for group in groups])
        return 0
    for group in groups:
        if records:
            sys.stdout.writelines(f"{record.zone_line()}\n" for record in records_to_publish(group))
        else:
            _print(connection, group)
    return 0


def _print(connection: History, group: Group) -> None:
    domain = owner_of(group[0])
    console.print(f"[bold]{plain(shown_domain(domain))}[/bold] on {plain(group[0].server)}")
    lines = table("=check", "=result", "=since", "seen")
    for line, states in lines_of(group).items():
        result = cell(line.result.value)
        result.stylize(COLOURS[line.result])
        changed = max((one.state.changed_at for one in states if one.state.changed_at is not None), default=None)
        since = "" if changed is None else minute(changed)
        lines.add_row(cell(named(line.check, map(part_of, states))), result, cell(since), cell(line.seen))
    print_whole(lines)
    sys.stdout.flush()
    for one in group:
        sys.stdout.writelines(f"{line}\n" for line in zone_lines(one.state))
    changes = changes_of(connection, group[0].server, domain)
    if changes:
        console.print("\nChanges, newest first:")
    for change in changes:
        check = plain(named(change.check, change.parts))
        console.print(f"  {stamp(change.at)}  {check} {plain(change.result)}", soft_wrap=True)


def zone_lines(state: CheckState) -> Iterator[str]:
    """Yield what to publish for one check as lines of a zone file; what is not a record is a comment."""
    outcome = state.outcome
    if not (outcome.publish or outcome.files):
        return
    yield ""
    yield f"; {outcome.check.value}: publish"
    for record in outcome.remove:
        yield f"; replaces: {record.zone_line()}"
    yield from (record.zone_line() for record in outcome.publish)
    for file in outcome.files:
        yield f"; the file {file.url}:"
        yield from (f";   {line}" for line in file.content.splitlines())


def _as_json(connection: History, group: Group) -> dict[str, object]:
    domain = owner_of(group[0])
    return {
        "server": group[0].server,
        "domain": domain,
        "checks": [{**_check_json(one.state), "part": part_of(one)} for one in group],
        "changes": [_change_json(row) for row in read_changes(connection, group[0].server, domain, most=CHANGES_SHOWN)],
    }


def _change_json(row: Any) -> dict[str, object]:
    held = dict(row)
    return {**held, "part": split_subject(held.pop("domain"))[1]}


def _check_json(state: CheckState) -> dict[str, object]:
    outcome = state.outcome
    return {
        "check": outcome.check.value,
        "result": outcome.result.value,
        "changed_at": state.changed_at,
        "checked_at": state.checked_at,
        "seen": list(outcome.seen),
        "publish": _records_json(outcome.publish),
        "replaces": _records_json(outcome.remove),
        "files": [{"url": file.url, "content": file.content} for file in outcome.files],
    }


def _records_json(records: Sequence[Record]) -> list[dict[str, str]]:
    return [{"name": one.name, "type": one.type, "content": one.content, "zone": one.zone_line()} for one in records]
