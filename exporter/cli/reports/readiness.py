"""``reports readiness``: which domains are ready for their next DMARC policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from rich.table import Table
from rich.text import Text

from exporter.cli.history.text import cell, domain_cell, print_json, table
from exporter.cli.output import complain, console
from exporter.history.readiness import KIND_WORDS, advise, evidence, explain
from exporter.history.texts import number
from exporter.store.reading import History
from exporter.store.reports.dmarc.loading import load_readiness, reported_domains
from exporter.store.reports.dmarc.readiness import Readiness, Verdict

EXIT_NOT_FOUND = 3

VERDICTS = {
    Verdict.READY: "ready",
    Verdict.NOT_READY: "not ready",
    Verdict.THIN: "too early to tell",
    Verdict.DONE: "nothing stricter",
}


def show_readiness(
    connection: History, domain: str | None, *, now: datetime, days: int, most: int, server: str | None, as_json: bool
) -> int:
    """Print the readiness of *domain*, or of the *most* busiest domains; return 3 if it has no reports."""
    if domain is not None:
        return _show_one(connection, domain, now=now, days=days, most=most, server=server, as_json=as_json)
    names = reported_domains(connection, now=now, server=server, days=days, most=most)
    found = [load_readiness(connection, name, now=now, server=server, days=days) for name in names]
    known = [one for one in found if one is not None]
    if as_json:
        print_json([_fields(one) for one in known])
        return 0
    console.print(_table(known) if known else "No DMARC reports.")
    return 0


def _show_one(
    connection: History, domain: str, *, now: datetime, days: int, most: int, server: str | None, as_json: bool
) -> int:
    readiness = load_readiness(connection, domain, now=now, server=server, days=days, most=most)
    if readiness is None:
        complain(f"no DMARC reports about {domain}")
        return EXIT_NOT_FOUND
    if as_json:
        print_json(_fields(readiness))
        return 0
    console.print(_table([readiness]))
    console.print(f"\n{advise(readiness).words}\nBased on {evidence(readiness)}.")
    print_sources(readiness, days)
    return 0


def _fields(readiness: Readiness) -> dict[str, object]:
    return {**asdict(readiness), "messages": readiness.messages, "advice": advise(readiness).words}


def _table(found: Sequence[Readiness]) -> Table:
    made = table("domain", "=policy", "=next", "verdict", "#messages", "#failed", "#hurt", "#days", "#reporters")
    for one in found:
        made.add_row(
            domain_cell(one.domain),
            one.published,
            one.next_policy,
            VERDICTS[one.verdict],
            number(one.messages),
            number(one.failed),
            number(one.hurt),
            number(one.days),
            number(one.reporters),
        )
    return made


def sender_cell(sender: str, name: str) -> Text:
    """Return who is behind a source, as far as it is known: ``Google (mail-ed1.google.com)``."""
    return cell(f"{sender} ({name})" if sender and name else sender or name)


def print_sources(readiness: Readiness, days: int) -> None:
    """Print the failing sources, and what each kind of them means."""
    title = f"Failing sources in the last {'day' if days == 1 else f'{days} days'}"
    if not readiness.sources:
        console.print(f"\n{title}: none")
        return
    if readiness.source_count > len(readiness.sources):
        title += f": {len(readiness.sources)} of {number(readiness.source_count)} (--limit shows more)"
    console.print(f"\n[bold]{title}[/bold]")
    made = table("source", "sender", "kind", "#failed", "#aligned", "#authenticated", "#days")
    for source in readiness.sources:
        made.add_row(
            cell(source.source or "not reported"),
            sender_cell(source.sender, source.name),
            KIND_WORDS[source.kind],
            number(source.failed),
            number(source.aligned),
            number(source.authenticated),
            number(source.days),
        )
    console.print(made)
    console.print("authenticated: passed SPF or DKIM, but for a domain that is not aligned\n", style="dim")
    for line in explain(readiness):
        console.print(line)
