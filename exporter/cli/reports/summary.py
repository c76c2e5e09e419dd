"""``reports summary``: a domain's DMARC results, and whether it is ready for ``p=reject``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.text import Text

from exporter.cli.history.text import cell, domain_cell, print_json, table
from exporter.cli.output import complain, console
from exporter.history.texts import counted, day, number, share
from exporter.store.reading import History
from exporter.store.reports.queries import Fields
from exporter.store.reports.summary import DomainSummary, summarise
from exporter.store.reports.sums import DAY_SECONDS

EXIT_NOT_FOUND = 3

ENOUGH_MESSAGES = 100
ENOUGH_DAYS = 14
"""Fewer days are not representative of a domain's mail."""

REJECT_SHARE = 0.005
"""At most this share of messages may fail before ``p=reject`` is advised; forwarding alone causes as much."""

QUARANTINE_SHARE = 0.02

BAR = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAdvice:
    """
    The advice on a stricter policy.

    Attributes:
        step: ``none``, ``wait``, ``quarantine``, ``reject`` or ``repair``: what to do next.
        words: The same in words.
    """

    step: str
    words: str


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
    verdict = advise(summary, now=now)
    if as_json:
        print_json({**asdict(summary), "verdict": asdict(verdict)})
    else:
        _print(summary, verdict, days)
    return 0


def advise(summary: DomainSummary, *, now: datetime) -> PolicyAdvice:
    """Return the next step that the numbers of the window suggest."""
    messages = summary.aligned + summary.failed
    days = _days_covered(summary, now=now)
    published = summary.policy.get("policy", "unspecified")
    if published == "reject" and not summary.policy.get("testing") and (summary.policy.get("percent") in (None, 100)):
        return PolicyAdvice(step="none", words="p=reject is published: there is no stricter policy.")
    if messages < ENOUGH_MESSAGES or days < ENOUGH_DAYS:
        return PolicyAdvice(
            step="wait",
            words=f"Too early to tell: {counted(messages, 'message')} over {counted(days, 'day')}; "
            f"needs at least {ENOUGH_MESSAGES} messages over {ENOUGH_DAYS} days.",
        )
    rest = f"{share(summary.failed, messages)} of {number(messages)} messages fail"
    forwarded = f", {number(summary.overridden)} of them forwarded or from lists" if summary.overridden else ""
    if summary.failed <= REJECT_SHARE * messages:
        return PolicyAdvice(step="reject", words=f"Ready for p=reject: {rest}{forwarded}.")
    if summary.failed <= QUARANTINE_SHARE * messages and published == "none":
        return PolicyAdvice(
            step="quarantine", words=f"Ready for p=quarantine, not yet for p=reject: {rest}{forwarded}."
        )
    return PolicyAdvice(
        step="repair",
        words=f"Not ready: {rest}{forwarded}, from {counted(summary.failing_source_count, 'source')}. "
        "Those that pass SPF or DKIM for another domain are likely yours and need alignment.",
    )


def _days_covered(summary: DomainSummary, *, now: datetime) -> int:
    """Return the days of the window from the start of the first report to the end of the last one."""
    begin = max(summary.first_begins_at, summary.window_begins_at)
    end = min(summary.last_at, int(now.timestamp()))
    return max(0, round((end - begin) / DAY_SECONDS))


def _print(summary: DomainSummary, verdict: PolicyAdvice, days: int) -> None:
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
    console.print(Text(f"\n{verdict.words}\n", style="bold"))
    _weeks(summary.weeks)
    window = "last day" if days == 1 else f"last {days} days"
    title = f"Failing sources in the {window}"
    if summary.failing_source_count > len(summary.failing_sources):
        title += f": {len(summary.failing_sources)} of {number(summary.failing_source_count)} (--limit shows more)"
    _sources(title, summary.failing_sources, last="#authenticated")
    if summary.failing_sources:
        console.print("authenticated: passed SPF or DKIM, but for a domain that is not aligned", style="dim")
    if summary.new_sources is None:
        console.print(f"\nNew sources: unknown, no report is older than the {window}")
    else:
        _sources(f"Sources never seen before the {window}", summary.new_sources, last="=first seen")
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


def _sources(title: str, sources: Sequence[Fields], *, last: str) -> None:
    console.print(f"\n[bold]{title}[/bold]" if sources else f"\n{title}: none")
    if not sources:
        return
    first_seen = last == "=first seen"
    made = table("source", *(["#messages"] if first_seen else []), "#failed", last)
    for source in sources:
        made.add_row(
            cell(source["source"] or "not reported"),
            *([number(source["messages"])] if first_seen else []),
            number(source["failed"]),
            day(source["first_at"]) if first_seen else number(source["authenticated"]),
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
