"""``reports list`` and ``reports top``: one line per report or ranked item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from exporter.cli.history.text import cell, domain_cell, print_json, shown_of, table
from exporter.cli.output import console
from exporter.cli.reports.readiness import sender_cell
from exporter.history.texts import counted, day, minute, number, share
from exporter.model.report_words import ReportKind
from exporter.store.reading import History
from exporter.store.reports.dmarc.sources import with_names
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.queries import (
    Fields,
    count_rejected,
    count_reports,
    list_rejected,
    list_reports,
    load_reports,
)
from exporter.store.reports.rankings import Top, domains, first_of, reporters, sources, total_of


def show_list(connection: History, wanted: ReportFilter, *, most: int, as_json: bool) -> int:
    """Print the newest reports."""
    rows = list_reports(connection, wanted, most=most)
    if as_json:
        print_json(rows)
        return 0
    if wanted.kind is ReportKind.ARF:
        made = _feedback(load_reports(connection, [row["id"] for row in rows]))
    else:
        made = _reports(rows)
    _print(made, rows, "No reports.", shown_of(len(rows), count_reports(connection, wanted), "report"))
    return 0


def _reports(rows: Sequence[Fields]) -> Table:
    servers = {row["server"] for row in rows}
    columns = ("#id", "=kind", "reporter", "domain", "=ends", "#passed", "#failed")
    made = table(*columns, *(["server"] if len(servers) > 1 else []))
    for row in rows:
        made.add_row(
            str(row["id"]),
            row["kind"],
            cell(row["reporter"]),
            domain_cell(row["domain"]),
            day(row["ends_at"]),
            "" if row["kind"] == "arf" else number(row["passed"]),
            number(row["failed"]),
            *([cell(row["server"])] if len(servers) > 1 else []),
        )
    return made


def _feedback(rows: Sequence[Fields]) -> Table:
    """Return a table of feedback, one message per line: who sent it, and from where."""
    made = table("#id", "=feedback", "=received", "mail from", "source", "reporter")
    for row in rows:
        made.add_row(
            str(row["id"]),
            row["feedback_type"],
            day(row["received_at"]),
            cell(row["mail_from"] or "not reported"),
            cell(row["source_ip"] or "not reported"),
            cell(row["reporter"]),
        )
    return made


def show_rejected(connection: History, wanted: ReportFilter, *, most: int, as_json: bool) -> int:
    """Print the rejected reports."""
    rows = list_rejected(connection, wanted, most=most)
    if as_json:
        print_json(rows)
        return 0
    made = table("=id", "=kind", "=received", "why", "server")
    for row in rows:
        made.add_row(
            f"rejected-{row['id']}", row["kind"], minute(row["received_at"]), cell(row["reason"]), cell(row["server"])
        )
    there = count_rejected(connection, wanted)
    _print(made, rows, "No rejected reports.", shown_of(len(rows), there, "rejected report"))
    return 0


def show_top(connection: History, what: str, wanted: ReportFilter, *, most: int, as_json: bool, span: str = "") -> int:
    """Print a ranking; *what* is one of `TOPS`, and *span* names the time window."""
    question = TOPS[what]
    top = question.ask(wanted)
    rows = first_of(connection, top, most=most)
    if what == "sources":
        rows = with_names(connection, rows, server=wanted.server)
    if as_json:
        print_json(rows)
        return 0
    there, amount = total_of(connection, top)
    words = f"{shown_of(len(rows), there, question.one)}; {counted(amount, AMOUNTS[top.order])} in total{span}."
    nothing = f"No {question.one}s{span}." + (" Use --window all for older reports." if span else "")
    _print(question.lines(rows), rows, nothing, words)
    return 0


def _sources(rows: Sequence[Fields]) -> Table:
    is_named = any(row["name"] or row["sender"] for row in rows)
    names = ["sender"] if is_named else []
    made = table("source", *names, "#messages", "#aligned", "#failed", "#reporters", "#domains", "=last seen")
    for row in rows:
        made.add_row(
            cell(row["source"] or "not reported"),
            *([sender_cell(row["sender"], row["name"])] if is_named else []),
            number(row["messages"]),
            share(row["aligned"], row["messages"]),
            number(row["failed"]),
            number(row["reporters"]),
            number(row["domains"]),
            day(row["last_at"]),
        )
    return made


def _reporters(rows: Sequence[Fields]) -> Table:
    made = table("reporter", "#reports", "=kinds", "#domains", "#passed", "#failed", "=last report")
    for row in rows:
        made.add_row(
            cell(row["reporter"]),
            number(row["reports"]),
            " ".join(sorted(row["kinds"].split(","))),
            number(row["domains"]),
            number(row["passed"]),
            number(row["failed"]),
            day(row["last_at"]),
        )
    return made


def _domains(rows: Sequence[Fields]) -> Table:
    made = table("domain", "#failed", "#of all", "#aligned", "#reports", "#reporters", "=last seen")
    for row in rows:
        made.add_row(
            domain_cell(row["domain"]),
            number(row["failed"]),
            share(row["failed"], row["failed"] + row["aligned"]),
            number(row["aligned"]),
            number(row["reports"]),
            number(row["reporters"]),
            day(row["last_at"]),
        )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    A ranking of the command ``top``.

    Attributes:
        one: The noun for a line.
    """

    ask: Callable[[ReportFilter], Top]
    lines: Callable[[Sequence[Fields]], Table]
    one: str


TOPS: Mapping[str, Question] = {
    "sources": Question(ask=sources, lines=_sources, one="source"),
    "reporters": Question(ask=reporters, lines=_reporters, one="reporter"),
    "domains": Question(ask=domains, lines=_domains, one="failing domain"),
}

AMOUNTS = {
    "messages": "message",
    "aligned": "aligned message",
    "failed": "failed message",
    "reports": "report",
}
"""The nouns for the columns that rank the lines."""


def _print(made: Table, rows: Sequence[Fields], nothing: str, total: str) -> None:
    console.print(made if rows else nothing)
    if rows:
        console.print(f"\n{total}")
