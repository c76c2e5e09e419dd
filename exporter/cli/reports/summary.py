"""``reports summary``: a domain's DMARC results, and whether it is ready for ``p=reject``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from rich.text import Text

from exporter.cli.history.text import cell, domain_cell, print_json, table
from exporter.cli.output import complain, console
from exporter.cli.reports.readiness import print_sources, sender_cell
from exporter.history.readiness import PolicyAdvice, advise
from exporter.history.texts import counted, day, number, share
from exporter.store.reading import History
from exporter.store.reports.dmarc.loading import load_readiness
from exporter.store.reports.dmarc.sources import with_names
from exporter.store.reports.dmarc.summary import DomainSummary, summarise
from exporter.store.reports.queries import Fields

EXIT_NOT_FOUND = 3

BAR = 30


def show_summary(
    connection: History,
    domain: str,
    *,
    now: datetime,
    days: int,
    most: int,
    server: str | None,
    as_json: bool,
) -> int:
    """Print the summary of *domain*; return 3 if it has no reports."""
    summary = summarise(connection, domain, now=now, days=days, most=most, server=server)
    if summary is None:
        complain(f"no DMARC reports about {domain}")
        return EXIT_NOT_FOUND
    if summary.new_sources is not None:
        summary = replace(summary, new_sources=with_names(connection, summary.new_sources, server=server))
    readiness = load_readiness(connection, domain, now=now, server=server, days=days, most=most)
    advice = None if readiness is None else advise(readiness)
    if as_json:
        told = {"verdict": advice and asdict(advice), "readiness": readiness and asdict(readiness)}
        print_json({**asdict(summary), **told})
    else:
        _print(summary, advice)
        if readiness is not None:
            print_sources(readiness, days)
        _rest(summary, days)
    return 0


def _print(summary: DomainSummary, advice: PolicyAdvice | None) -> None:
    console.print(Text.assemble(("Domain ", "bold"), domain_cell(summary.domain)))
    policy = summary.policy
    if policy:
        extras = [
            f"sp={policy['subdomain_policy']}" if policy["subdomain_policy"] != "unspecified" else "",
            f"np={policy['nonexistent_policy']}" if policy["nonexistent_policy"] != "unspecified" else "",
            f"pct={policy['percent']}" if policy["percent"] is not None else "",
            "testing" if policy["testing"] else "",
        ]
        words = " ".join(["p=" + policy["policy"], *filter(None, extras)])
        console.print(
            Text.assemble("Policy ", words, f" as reported on {day(policy['seen_at'])} by ", cell(policy["reporter"]))
        )
    console.print(f"{counted(summary.reports, 'DMARC report')}, {_span(summary)}")
    console.print(Text(f"\n{advice.words}\n" if advice else "", style="bold"))
    _weeks(summary.weeks)


def _rest(summary: DomainSummary, days: int) -> None:
    window = "last day" if days == 1 else f"last {days} days"
    if summary.new_sources is None:
        console.print(f"\nNew sources: unknown, no report is older than the {window}")
    else:
        _sources(f"Sources never seen before the {window}", summary.new_sources)
    _silent(summary.silent_reporters)


def _span(summary: DomainSummary) -> str:
    """Return the days covered by the reports; a report that ends at midnight covers the day before."""
    first, last = day(summary.first_begins_at), day(max(summary.first_begins_at, summary.last_at - 1))
    return f"about {first}" if first == last else f"from {first} to {last}"


def _weeks(weeks: Sequence[Fields]) -> None:
    made = table("=week of", "#aligned", "#failed", "#of all", "=")
    for week in weeks:
        whole = week["aligned"] + week["failed"]
        filled = round(BAR * week["aligned"] / whole) if whole else 0
        filled = min(filled, BAR - 1) if week["failed"] else filled
        bar = Text.assemble(("█" * filled, "green"), ("░" * (BAR - filled if whole else 0), "red"))
        made.add_row(
            day(week["begins_at"]),
            number(week["aligned"]),
            number(week["failed"]),
            share(week["aligned"], whole),
            bar,
        )
    console.print(made)


def _sources(title: str, sources: Sequence[Fields]) -> None:
    console.print(f"\n[bold]{title}[/bold]" if sources else f"\n{title}: none")
    if not sources:
        return
    made = table("source", "sender", "#messages", "#failed", "=first seen")
    for source in sources:
        made.add_row(
            cell(source["source"] or "not reported"),
            sender_cell(source["sender"], source["name"]),
            number(source["messages"]),
            number(source["failed"]),
            day(source["first_at"]),
        )
    console.print(made)


def _silent(reporters: Sequence[Fields]) -> None:
    if not reporters:
        console.print("\nSilent reporters: none")
        return
    console.print("\n[bold]Silent reporters[/bold]")
    made = table("reporter", "#reports", "=last report ends")
    for reporter in reporters:
        made.add_row(cell(reporter["reporter"]), number(reporter["reports"]), day(reporter["last_at"]))
    console.print(made)
