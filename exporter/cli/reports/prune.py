"""``reports prune`` and ``reports status``: deletes reports, and prints what the history holds."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exporter.cli.history.text import cell, print_json, table
from exporter.cli.output import complain, console, problems
from exporter.history.texts import counted, number, stamp
from exporter.store.reading import History, reading, writing
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.pruning import count_older, prune_rejected, prune_reports
from exporter.store.reports.queries import backfill_progress

EXIT_REFUSED = 2
WAIT_SECONDS = 1.0


def prune(path: Path, wanted: ReportFilter, *, before: datetime, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Delete reports received *before*, after confirmation; return 2 without it."""
    whole = wanted == ReportFilter(server=wanted.server, kind=wanted.kind)
    with reading(path) as connection:
        reports, rejected = count_older(connection, wanted, before)
    rejected = rejected if whole else 0
    if not dry_run and reports + rejected:
        if not yes and not _confirmed(reports, rejected, before):
            return EXIT_REFUSED
        with writing(path) as connection:
            reports = _prune(connection, wanted, before, reports)
            rejected = prune_rejected(connection, wanted, before) if whole else 0
    if as_json:
        print_json(
            {
                "reports": reports,
                "rejected": rejected,
                "received_before": stamp(int(before.timestamp())),
                "dry_run": dry_run,
            }
        )
    else:
        done = "Would be deleted" if dry_run else "Deleted"
        console.print(f"{done}: {_what(reports, rejected, before)}.")
    return 0


def _confirmed(reports: int, rejected: int, before: datetime) -> bool:
    if not problems.is_terminal:
        complain("not a terminal, so nothing is deleted; use --yes to delete without confirmation")
        return False
    return typer.confirm(f"Delete {_what(reports, rejected, before)}?", err=True)


def _what(reports: int, rejected: int, before: datetime) -> str:
    both = f"{counted(reports, 'report')} and {number(rejected)} rejected"
    return f"{both}, received before {before:%Y-%m-%d %H:%M} UTC"


def _prune(connection: History, wanted: ReportFilter, before: datetime, total: int) -> int:
    done = 0
    with _bar() as progress:
        task = progress.add_task("deleted", total=total)
        for count in prune_reports(connection, wanted, before):
            done += count
            progress.update(task, completed=done)
    return done


def show_status(path: Path, *, wait: bool, as_json: bool) -> int:
    """Print the history's reports and backfill progress per server and kind; *wait*: until the backfill is complete."""
    if wait:
        _wait(path)
    with reading(path) as connection:
        rows = backfill_progress(connection)
    if as_json:
        print_json(rows)
        return 0
    made = table("server", "=kind", "#reports", "#rejected", "#still to fetch")
    for row in rows:
        numbers = (number(row["reports"]), number(row["rejected"]), number(row["left"]))
        made.add_row(cell(row["server"]), row["kind"], *numbers)
    console.print(made if rows else "No reports yet: the daemon has not listed any.")
    if rows:
        reports, rejected, left = (sum(row[name] for row in rows) for name in ("reports", "rejected", "left"))
        console.print(f"\n{counted(reports, 'report')}, {number(rejected)} rejected, {number(left)} still to fetch.")
    return 0


def _wait(path: Path) -> None:
    with _bar() as progress:
        task = progress.add_task("waiting for the daemon to list reports", total=None)
        while True:
            with reading(path) as connection:
                rows = backfill_progress(connection)
            left = sum(row["left"] for row in rows)
            total = sum(row["total"] for row in rows)
            if rows and not left:
                progress.update(task, description="fetched", total=total, completed=total)
                return
            if rows:
                progress.update(task, description="fetched", total=total, completed=max(total - left, 0))
            time.sleep(WAIT_SECONDS)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=problems, disable=not problems.is_terminal)
