"""
``reports export``: whole reports for other programs.

JSON is exact and pure ASCII. CSV has one line per record, policy, failure or feedback; control characters are removed
from its texts, and a text that a spreadsheet would take for a formula is prefixed with an apostrophe.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exporter.cli.output import complain, harmless, problems
from exporter.cli.reports.text import dumped, stamp
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.queries import Fields, count_reports, iterate_reports
from exporter.store.reports.reading import History

EXIT_UNUSABLE = 1

HEAD = ("id", "server", "kind", "reporter", "report_id", "domain", "begins_at", "ends_at", "received_at")
RECORD = ("source_ip", "messages", "disposition", "dkim", "spf", "header_from", "envelope_from", "envelope_to")
TLS = ("policy_type", "policy_domain", "successes", "failures", "failure", "failed_sessions", "receiving_host")
ABOUT = ("arrived_at", "mail_from", "rcpt_to")
FEEDBACK = ("feedback_type", "incidents", "auth_failure", "delivery_result", "identity_alignment", *ABOUT)
COLUMNS = ("line", *HEAD, *RECORD, *TLS, *FEEDBACK)

CELL_LENGTH = 2000
"""More than any column of the history holds."""

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def export(connection: History, wanted: ReportFilter, *, fmt: str, output: Path | None) -> int:
    """Write all wanted reports in *fmt*, one of `FORMATS`, to *output* or standard output."""
    total = count_reports(connection, wanted)
    try:
        with _target(output) as out, _progress(total, shown=output is not None or not sys.stdout.isatty()) as tick:
            FORMATS[fmt](out, _ticking(iterate_reports(connection, wanted), tick))
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"cannot write {output or 'to standard output'}: {error.strerror}")
        return EXIT_UNUSABLE
    return 0


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO]:
    """Open the file under a temporary name, so that an incomplete export is never taken for a complete one."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    partial = output.with_name(f"{output.name}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as out:
            yield out
        os.replace(partial, output)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("reports"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=problems, disable=not (shown and problems.is_terminal)) as progress:
        task = progress.add_task("reports", total=total)
        yield lambda: progress.advance(task)


def _ticking(reports: Iterable[Fields], tick: Callable[[], None]) -> Iterator[Fields]:
    for report in reports:
        yield report
        tick()


def _write_json(out: TextIO, reports: Iterable[Fields]) -> None:
    out.write("[")
    for number, report in enumerate(reports):
        out.write(",\n" if number else "\n")
        out.write(dumped(report, indent=None))
    out.write("\n]\n")


def _write_lines(out: TextIO, reports: Iterable[Fields]) -> None:
    for report in reports:
        out.write(dumped(report, indent=None) + "\n")


def _write_csv(out: TextIO, reports: Iterable[Fields]) -> None:
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for report in reports:
        head = {name: report[name] for name in HEAD}
        for line in _lines(report):
            writer.writerow({name: _cell(name, value) for name, value in {**head, **line}.items()})


def _lines(report: Fields) -> Iterator[Fields]:
    if report["kind"] == "dmarc":
        for record in report["records"]:
            yield {"line": "record", **{name: record[name] for name in RECORD}}
    elif report["kind"] == "tls":
        for policy in report["policies"]:
            of = {"policy_type": policy["type"], "policy_domain": policy["domain"]}
            yield {"line": "policy", **of, "successes": policy["successes"], "failures": policy["failures"]}
            for detail in policy["details"]:
                yield {
                    "line": "failure",
                    **of,
                    "failure": detail["result"],
                    "failed_sessions": detail["sessions"],
                    "source_ip": detail["sending_ip"],
                    "receiving_host": detail["receiving_host"],
                }
    else:
        yield {"line": "feedback", "source_ip": report["source_ip"], **{name: report[name] for name in FEEDBACK}}


def _cell(name: str, value: object) -> object:
    if name.endswith("_at") and isinstance(value, int):
        return stamp(value)
    if not isinstance(value, str):
        return value
    clean = harmless(value, CELL_LENGTH)
    return f"'{clean}" if clean.startswith(FORMULA_SIGNS) else clean


FORMATS: Mapping[str, Callable[[TextIO, Iterable[Fields]], None]] = {
    "json": _write_json,
    "jsonl": _write_lines,
    "csv": _write_csv,
}
