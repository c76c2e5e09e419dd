"""``stalwart-exporter doctor``: asks each server once and says what is what, in words."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.table import Table

from exporter.app.connection import Connection, connect
from exporter.cli.output import console, plain, problems
from exporter.clock import SystemClock
from exporter.collectors.advice import advice_for
from exporter.errors import SettingsError, TargetError, TargetUnsupported
from exporter.model.server import Capability, CapabilityStatus, Edition, Generation
from exporter.settings import ServerSettings, load_settings
from exporter.stalwart.jmap.examine import examine as examine_jmap
from exporter.stalwart.listening import listen
from exporter.stalwart.log_problems import LOG_PROBLEM_WORDS, LogProblem, look_at_log
from exporter.stalwart.rest.examine import Examiner

EXIT_TROUBLE = 1
EXIT_SETTINGS = 2
EXIT_MISSING = 3


@dataclass(slots=True)
class Finding:
    """What was found out about one server."""

    server: str
    url: str
    api: str = ""
    edition: str = ""
    version: str = ""
    trouble: str = ""
    note: str = ""
    capabilities: dict[str, str] = field(default_factory=dict)
    missing_permissions: list[str] = field(default_factory=list)
    streams: str = ""
    log: str = ""


def examine(config: Path | None, *, only: str | None, as_json: bool, listen_seconds: float) -> int:
    """Examines the configured servers, and listens to their live streams for a while; the exit status."""
    try:
        settings = load_settings(config, dict(os.environ))
    except SettingsError as error:
        for problem in error.problems:
            problems.print(plain(problem))
        return EXIT_SETTINGS
    servers = [server for server in settings.servers if only in (None, server.name)]
    if not servers:
        problems.print(f"no server is called {plain(only or '')}")
        return EXIT_SETTINGS
    findings = asyncio.run(_examine_all(servers, listen_seconds))
    if as_json:
        console.print_json(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            show(finding)
    if any(finding.trouble for finding in findings):
        return EXIT_TROUBLE
    return EXIT_MISSING if any(finding.missing_permissions for finding in findings) else 0


async def _examine_all(servers: list[ServerSettings], listen_seconds: float) -> list[Finding]:
    return list(await asyncio.gather(*(_examine(server, listen_seconds) for server in servers)))


async def _examine(settings: ServerSettings, listen_seconds: float) -> Finding:
    finding = Finding(server=settings.name, url=settings.url)
    connection = connect(settings, clock=SystemClock(), observer=None, ask_version=settings.ask_version)
    try:
        await _fill(finding, connection)
        finding.log = await _look_at_log(finding, connection)
        finding.streams = await _listen(finding, connection, listen_seconds)
    except TargetError as error:
        finding.trouble = str(error)
    finally:
        await connection.aclose()
    return finding


async def _fill(finding: Finding, connection: Connection) -> None:
    identity = await connection.detector.detect()
    finding.api, finding.version, finding.note = identity.generation.value, identity.version, identity.note
    finding.edition = identity.edition.value
    if identity.generation is Generation.UNKNOWN:
        finding.trouble = identity.note
        return
    if identity.generation is Generation.JMAP:
        found = await examine_jmap(connection.jmap, identity)
    else:
        found = await Examiner(connection.transport).examine(SystemClock().now())
    finding.missing_permissions = list(found.missing)
    finding.capabilities = {c.value: s.value for c, s in found.statuses.items()}
    finding.edition = edition_of(found.statuses.get(Capability.STORED_METRICS), identity.edition).value


async def _look_at_log(finding: Finding, connection: Connection) -> str:
    """What keeps the server's log from being read, in words; empty if nothing does, or if it has none for us."""
    if finding.capabilities.get(Capability.LOGS.value) != CapabilityStatus.AVAILABLE.value:
        return ""
    try:
        problem = (await look_at_log(connection.client)).problem
    except TargetUnsupported as error:
        finding.capabilities[Capability.LOGS.value] = error.status
        return ""
    except TargetError as error:
        return f"the log cannot be read: {error}"
    if problem in (LogProblem.OWN_RESPONSES, LogProblem.ANSI):
        finding.capabilities[Capability.LOGS.value] = CapabilityStatus.NOT_CONFIGURED.value
    return "" if problem is None else LOG_PROBLEM_WORDS[problem]


async def _listen(finding: Finding, connection: Connection, seconds: float) -> str:
    """What is wrong with the live streams, in words; empty if nothing is, or if there are none."""
    both = (Capability.LIVE_METRICS, Capability.LIVE_TRACES)
    have = all(finding.capabilities.get(c.value) == CapabilityStatus.AVAILABLE.value for c in both)
    if connection.live is None or not have or seconds <= 0:
        return ""
    try:
        return (await listen(connection.live, seconds=seconds)).words()
    except TargetUnsupported:
        return ""
    except TargetError as error:
        return f"the live streams cannot be followed: {error}"


def edition_of(stored: CapabilityStatus | None, known: Edition) -> Edition:
    """What the answer about stored metrics tells of the edition."""
    if known is not Edition.UNKNOWN or stored is None:
        return known
    licensed = (CapabilityStatus.AVAILABLE, CapabilityStatus.NOT_CONFIGURED, CapabilityStatus.FORBIDDEN)
    return Edition.ENTERPRISE if stored in licensed else Edition.COMMUNITY


def show(finding: Finding) -> None:
    """Prints one finding for people."""
    console.print(f"[bold]{plain(finding.server)}[/bold]  {plain(finding.url)}")
    if finding.trouble:
        console.print(f"  [red]does not work[/red]: {plain(finding.trouble)}\n")
        return
    version = f"version {plain(finding.version)}" if finding.version else "version not told to this key"
    console.print(f"  management API: {finding.api}, edition: {finding.edition}, {version}")
    if finding.note:
        console.print(f"  {plain(finding.note)}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("  capability", "status", "what that means"):
        table.add_column(column)
    for name, status in finding.capabilities.items():
        colour = {"available": "green", "forbidden": "red"}.get(status, "yellow")
        words = advice_for(Capability(name), CapabilityStatus(status), Generation(finding.api))
        if name == Capability.LOGS.value and finding.log:
            words = "See below."
        table.add_row(f"  {name}", f"[{colour}]{status}[/{colour}]", plain(words))
    console.print(table)
    if finding.log:
        console.print(f"\n  [red]log[/red]: {plain(finding.log)}", soft_wrap=True)
    if finding.streams:
        console.print(f"\n  [red]live streams[/red]: {plain(finding.streams)}", soft_wrap=True)
    if finding.missing_permissions:
        console.print(f"\n  [red]missing permissions[/red]: {', '.join(finding.missing_permissions)}")
        if finding.api == Generation.JMAP.value:
            console.print(
                "  Grant them by a role of the key's account, and list them in the key itself if it is restricted."
            )
            console.print()
            return
        console.print("  Grant them as an administrator who holds them (the key's name is its user name):")
        for permission in finding.missing_permissions:
            change = json.dumps([{"action": "addItem", "field": "enabledPermissions", "value": permission}])
            console.print(f"    PATCH /api/principal/<key>  {plain(change)}", soft_wrap=True)
    console.print()
