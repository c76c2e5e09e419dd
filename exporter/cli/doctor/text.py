"""The text output of `doctor`."""

from __future__ import annotations

import json

from rich.table import Table

from exporter.cli.doctor.domains import DomainFinding, DomainFindings
from exporter.cli.doctor.finding import FAILED, Finding
from exporter.cli.output import console, plain, print_whole
from exporter.domains import shown_domain
from exporter.model.posture import CheckResult
from exporter.model.server import Generation
from exporter.stalwart.common.probe import LOG_IN

COLOURS = {"available": "green", "forbidden": "red", FAILED: "red"}


def show(finding: Finding) -> None:
    """Print the findings about one server."""
    console.print(f"[bold]{plain(finding.server)}[/bold]  {plain(finding.url)}", soft_wrap=True)
    if finding.trouble:
        console.print(f"  [red]error[/red]: {plain(finding.trouble)}\n", soft_wrap=True)
        return
    version = f"version {plain(finding.version)}" if finding.version else "version not disclosed to this key"
    console.print(f"  management API: {finding.api}, edition: {finding.edition}, {version}", soft_wrap=True)
    if finding.note:
        console.print(f"  {plain(finding.note)}", soft_wrap=True)
    _capabilities(finding)
    _domains(finding.domains)
    for warning in finding.warnings:
        console.print(f"\n  [yellow]warning[/yellow]: {plain(warning)}", soft_wrap=True)
    for defect in finding.defects:
        console.print(f"\n  [yellow]known defect[/yellow]: {plain(defect)}", soft_wrap=True)
    if finding.log:
        console.print(f"\n  [red]log[/red]: {plain(finding.log)}", soft_wrap=True)
    if finding.streams:
        console.print(f"\n  [red]live streams[/red]: {plain(finding.streams)}", soft_wrap=True)
    for problem in finding.webhook:
        console.print(f"\n  [red]webhook[/red]: {plain(problem)}", soft_wrap=True)
    if finding.missing_permissions:
        _grants(finding)
    console.print()


def _capabilities(finding: Finding) -> None:
    if not finding.capabilities:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("  capability", "status", "meaning"):
        table.add_column(column)
    for name, status in finding.capabilities.items():
        colour = COLOURS.get(status, "yellow")
        table.add_row(f"  {name}", f"[{colour}]{status}[/{colour}]", plain(finding.meanings.get(name, "")))
    print_whole(table)


def _domains(found: DomainFindings) -> None:
    if found.domains:
        console.print()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("  domain", "good", "bad", "unknown"):
            table.add_column(column)
        for one in found.domains:
            good = sum(result == CheckResult.GOOD for result in one.checks.values())
            table.add_row(
                f"  {plain(shown_domain(one.domain))}",
                str(good),
                f"[red]{_why(one, CheckResult.BAD)}[/red]",
                f"[yellow]{_why(one, CheckResult.UNKNOWN)}[/yellow]",
            )
        print_whole(table)
    if found.left_out:
        console.print(f"  {found.left_out} more domains: `stalwart-exporter domains list` shows what the daemon found.")
    if found.trouble:
        console.print(f"  [red]domain checks[/red]: {plain(found.trouble)}", soft_wrap=True)


def _why(one: DomainFinding, result: CheckResult) -> str:
    """Return the checks with *result*, each with the first thing that it saw, which is what decided."""
    return plain("; ".join(f"{name} ({one.seen[name][0]})" for name in one.checks if _is(one, name, result)))


def _is(one: DomainFinding, name: str, result: CheckResult) -> bool:
    return one.checks[name] == result and bool(one.seen.get(name))


def _grants(finding: Finding) -> None:
    names = ", ".join(finding.missing_permissions)
    console.print(f"\n  [red]missing permissions[/red]: {names}", soft_wrap=True)
    if LOG_IN in finding.missing_permissions:
        console.print(
            f"  Without {LOG_IN} the server refuses every request of the key: grant it, then run doctor again to see "
            "what else is missing.",
            soft_wrap=True,
        )
    if finding.api == Generation.JMAP.value:
        console.print(
            "  Grant them by a role of the key's account. A key that is restricted must list them as well.",
            soft_wrap=True,
        )
        return
    console.print("  Grant them as an administrator who holds them, with one request each:", soft_wrap=True)
    for permission in finding.missing_permissions:
        change = json.dumps([{"action": "addItem", "field": "enabledPermissions", "value": permission}])
        console.print(f"    PATCH /api/principal/{plain(finding.account or '<key>')}  {plain(change)}", soft_wrap=True)
