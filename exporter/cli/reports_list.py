"""``reports list`` and ``reports top``: one line each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

from exporter.cli.reports_text import cell, console, day, domain_cell, minute, number, print_json, share, table
from exporter.store.report_filter import ReportFilter
from exporter.store.report_queries import Fields, list_rejected, list_reports
from exporter.store.report_tops import top_domains, top_reporters, top_sources


def show_list(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int, as_json: bool) -> int:
    """The newest reports."""
    rows = list_reports(connection, wanted, most=most)
    if as_json:
        print_json(rows)
        return 0
    made = table("#id", "kind", "reporter", "domain", "ends", "#passed", "#failed", "server")
    for row in rows:
        made.add_row(
            str(row["id"]),
            row["kind"],
            cell(row["reporter"]),
            domain_cell(row["domain"]),
            day(row["ends_at"]),
            "" if row["kind"] == "arf" else number(row["passed"]),
            number(row["failed"]),
            cell(row["server"]),
        )
    _print(made, rows, "No reports.")
    return 0


def show_rejected(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int, as_json: bool) -> int:
    """What could not be read."""
    rows = list_rejected(connection, wanted, most=most)
    if as_json:
        print_json(rows)
        return 0
    made = table("id", "kind", "received", "why", "server")
    for row in rows:
        made.add_row(
            f"rejected-{row['id']}", row["kind"], minute(row["received_at"]), cell(row["reason"]), cell(row["server"])
        )
    _print(made, rows, "No rejected reports.")
    return 0


def show_top(connection: sqlite3.Connection, what: str, wanted: ReportFilter, *, most: int, as_json: bool) -> int:
    """Who stands out; *what* is one of `TOPS`."""
    ask, show = TOPS[what]
    rows = ask(connection, wanted, most=most)
    if as_json:
        print_json(rows)
    else:
        show(rows)
    return 0


def _sources(rows: Sequence[Fields]) -> None:
    made = table("source", "#messages", "#aligned", "#failed", "#reporters", "#domains", "last")
    for row in rows:
        made.add_row(
            cell(row["source"] or "not told"),
            number(row["messages"]),
            share(row["aligned"], row["messages"]),
            number(row["failed"]),
            number(row["reporters"]),
            number(row["domains"]),
            day(row["last_at"]),
        )
    _print(made, rows, "No sources.")


def _reporters(rows: Sequence[Fields]) -> None:
    made = table("reporter", "#reports", "kinds", "#domains", "#passed", "#failed", "last")
    for row in rows:
        made.add_row(
            cell(row["reporter"]),
            number(row["reports"]),
            " ".join(sorted(row["kinds"].split(","))),
            number(row["domains"]),
            number(row["passed"]),
            number(row["failed"]),
            minute(row["last_at"]),
        )
    _print(made, rows, "No reporters.")


def _domains(rows: Sequence[Fields]) -> None:
    made = table("domain", "#failed", "#aligned", "#share failed", "#reports", "#reporters", "last")
    for row in rows:
        made.add_row(
            domain_cell(row["domain"]),
            number(row["failed"]),
            number(row["aligned"]),
            share(row["failed"], row["failed"] + row["aligned"]),
            number(row["reports"]),
            number(row["reporters"]),
            day(row["last_at"]),
        )
    _print(made, rows, "No failing domains.")


Ask = Callable[..., Sequence[Fields]]

TOPS: Mapping[str, tuple[Ask, Callable[[Sequence[Fields]], None]]] = {
    "sources": (top_sources, _sources),
    "reporters": (top_reporters, _reporters),
    "domains": (top_domains, _domains),
}


def _print(made: object, rows: Sequence[Fields], nothing: str) -> None:
    console.print(made if rows else nothing)
