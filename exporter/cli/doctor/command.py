"""``stalwart-exporter doctor``: queries each server once and reports what it found."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path

from exporter.app.servers.connection import ServerConnection, connect
from exporter.cli.doctor.domains import check_domains
from exporter.cli.doctor.finding import FAILED, Finding, exit_status
from exporter.cli.doctor.text import show
from exporter.cli.doctor.webhook import look_at_webhook
from exporter.cli.output import complain, console
from exporter.clock import SystemClock
from exporter.collectors.advice import advice_for, refused_login
from exporter.errors import SettingsError, TargetError, TargetUnsupported
from exporter.model.server import Capability, CapabilityStatus, Generation, ServerIdentity
from exporter.settings import CheckSettings, ServerSettings, load_settings
from exporter.stalwart.common.known_defects import PAGE, KnownDefect, defects_of
from exporter.stalwart.common.probe import Examination
from exporter.stalwart.jmap.probe import examine as examine_jmap
from exporter.stalwart.log_problems import LOG_PROBLEM_WORDS, LogProblem, look_at_log
from exporter.stalwart.rest.probe import Examiner
from exporter.stalwart.stream_check import listen

EXIT_SETTINGS = 2
NAMED_CHANGES = 4


def examine(config: Path | None, *, only: str | None, as_json: bool, listen_seconds: float) -> int:
    """Examine the configured servers and listen to their live streams for *listen_seconds*; return the exit status."""
    try:
        settings = load_settings(config, dict(os.environ))
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return EXIT_SETTINGS
    servers = [server for server in settings.servers if only in (None, server.name)]
    if not servers:
        complain(f"no server has the name {only or ''}")
        return EXIT_SETTINGS
    findings = asyncio.run(_examine_all(servers, settings.checks, listen_seconds))
    for finding, server in zip(findings, servers, strict=True):
        finding.webhook = list(look_at_webhook(server, settings.store.path))
    if as_json:
        console.print_json(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            show(finding)
    return exit_status(findings)


async def _examine_all(servers: list[ServerSettings], checks: CheckSettings, listen_seconds: float) -> list[Finding]:
    return list(await asyncio.gather(*(_examine(server, checks, listen_seconds) for server in servers)))


async def _examine(settings: ServerSettings, checks: CheckSettings, listen_seconds: float) -> Finding:
    finding = Finding(server=settings.name, url=settings.url)
    try:
        connection = connect(settings, clock=SystemClock(), observer=None, ask_version=False)
    except SettingsError as error:
        finding.trouble = "; ".join(error.problems)
        return finding
    finding.account = connection.account
    try:
        leave_out = frozenset() if checks.enabled else frozenset({Capability.DOMAIN_RECORDS})
        await _fill(finding, connection, ask_version=settings.ask_version, leave_out=leave_out)
        finding.log = await _look_at_log(finding, connection)
        finding.version = finding.version or await _logged_version(finding, connection)
        finding.defects = [_in_words(defect) for defect in defects_of(finding.version, conditional=True)]
        if finding.capabilities:
            with_domains = _may_check_domains(finding, settings)
            finding.domains = await check_domains(connection, settings, checks, with_domains=with_domains)
        finding.streams = await _listen(finding, connection, listen_seconds)
    except TargetError as error:
        finding.trouble = str(error)
    except SettingsError as error:
        finding.trouble = "; ".join(error.problems)
    finally:
        await connection.aclose()
    return finding


def _may_check_domains(finding: Finding, settings: ServerSettings) -> bool:
    status = finding.capabilities.get(Capability.DOMAIN_RECORDS.value)
    return status == CapabilityStatus.AVAILABLE.value or bool(settings.checks.domains)


async def _fill(
    finding: Finding, connection: ServerConnection, *, ask_version: bool, leave_out: frozenset[Capability]
) -> None:
    identity = await connection.detector.detect()
    finding.api, finding.edition = identity.generation.value, identity.edition.value
    if identity.generation is Generation.UNKNOWN:
        finding.trouble = identity.note
        return
    if identity.generation is Generation.JMAP:
        found = await examine_jmap(connection.jmap, identity, leave_out=leave_out)
    else:
        examiner = Examiner(connection.transport, leave_out=leave_out)
        found = await examiner.examine(SystemClock().now(), ask_version=ask_version)
    finding.edition, finding.version = found.edition.value, found.version or identity.version
    finding.note = _note(identity, found)
    finding.missing_permissions = list(found.missing)
    finding.native_login_refused = found.native_refused
    finding.capabilities = {c.value: s.value for c, s in found.statuses.items()}
    finding.capabilities |= {c.value: FAILED for c in found.failures}
    finding.meanings = _meanings(found, identity.generation)
    finding.warnings = _warnings(found)


def _note(identity: ServerIdentity, found: Examination) -> str:
    """Return the note from detection, unless it is a refusal that the permissions explain."""
    explained = not found.can_log_in or Capability.QUEUE_STATUS in found.lacking
    return "" if explained else identity.note


def _meanings(found: Examination, generation: Generation) -> dict[str, str]:
    words = {c.value: _failed(c, why) for c, why in found.failures.items()}
    for capability, status in found.statuses.items():
        if capability is Capability.NATIVE_METRICS and found.native_refused:
            words[capability.value] = refused_login(generation)
        else:
            lacking = found.lacking.get(capability, ())
            words[capability.value] = advice_for(capability, status, generation, lacking=lacking)
    return {name: text for name, text in words.items() if text}


def _failed(capability: Capability, why: str) -> str:
    if capability is Capability.LOGS:
        return f"{why}. Does the directory of the server's log tracer exist, and can the server read it?"
    return f"{why}."


def _in_words(defect: KnownDefect) -> str:
    condition = f" Only if {defect.only_if}." if defect.only_if else ""
    return f"{defect.id}: {defect.effect}{condition} Fixed in {defect.fixed_version}; {PAGE} says what to do."


def _warnings(found: Examination) -> list[str]:
    if not found.changes:
        return []
    named = ", ".join(found.changes[:NAMED_CHANGES])
    rest = len(found.changes) - NAMED_CHANGES
    more = f" and {rest} more" if rest > 0 else ""
    return [
        f"This login can change the server (permissions {named}{more}): anyone who obtains it controls the server. "
        "Use a read-only API key; the README lists the permissions it needs."
    ]


async def _logged_version(finding: Finding, connection: ServerConnection) -> str:
    """Return the version from the log, where few keys may read it otherwise; empty if it is not there."""
    if finding.capabilities.get(Capability.LOGS.value) != CapabilityStatus.AVAILABLE.value:
        return ""
    try:
        return await connection.client.fetch_logged_version()
    except TargetError:
        return ""


async def _look_at_log(finding: Finding, connection: ServerConnection) -> str:
    """Return why the server's log cannot be read; empty without a problem, or if the log is not available to us."""
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


async def _listen(finding: Finding, connection: ServerConnection, seconds: float) -> str:
    """Return what is wrong with the live streams; empty without a problem, or if there are none."""
    both = (Capability.LIVE_METRICS, Capability.LIVE_TRACES)
    have = all(finding.capabilities.get(c.value) == CapabilityStatus.AVAILABLE.value for c in both)
    if connection.live is None or not have or seconds <= 0:
        return ""
    try:
        return (await listen(connection.live, seconds=seconds)).words()
    except TargetUnsupported:
        return ""
    except TargetError as error:
        return f"the live streams failed: {error}"
