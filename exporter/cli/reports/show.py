"""``reports show``: one report in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from rich.table import Table
from rich.text import Text

from exporter.cli.history.text import cell, domain_cell, facts, print_json, table
from exporter.cli.output import complain, console
from exporter.history.report_facts import MAX_ID_DIGITS, arf_facts, checked, dmarc_facts, failure, head_facts
from exporter.history.texts import counted, minute, number, share
from exporter.printable import harmless
from exporter.store.reading import History
from exporter.store.reports.queries import Fields, load_raw, load_rejected, load_reports

EXIT_NOT_FOUND = 3
REJECTED_PREFIX = "rejected-"


def show_report(connection: History, id_: str, *, raw: bool, as_json: bool) -> int:
    """Print the report with this id from `reports list`, or ``rejected-<n>`` from `reports list --rejected`."""
    if id_.startswith(REJECTED_PREFIX):
        return _show_rejected(connection, id_, raw=raw, as_json=as_json)
    found = load_reports(connection, [_int(id_)])
    if not found:
        complain(f"no report {id_}; `reports list` shows the ids")
        return EXIT_NOT_FOUND
    if raw:
        _print_raw(load_raw(connection, found[0]["id"]))
    elif as_json:
        print_json(found[0])
    else:
        SHOWN[found[0]["kind"]](found[0])
    return 0


def _show_rejected(connection: History, id_: str, *, raw: bool, as_json: bool) -> int:
    found = load_rejected(connection, _int(id_.removeprefix(REJECTED_PREFIX)))
    if found is None:
        complain(f"no rejected report {id_}; `reports list --rejected` shows the ids")
        return EXIT_NOT_FOUND
    body: bytes = found.pop("raw")
    found.pop("packed")
    if raw:
        _print_raw(body)
    elif as_json:
        print_json({**found, "raw": body.decode("utf-8", "replace")})
    else:
        made = facts()
        for name, value in found.items():
            shown = f"{minute(value)} UTC" if name.endswith("_at") else value
            made.add_row(name.removesuffix("_at").replace("_", " "), cell(shown))
        made.add_row("size", f"{number(len(body))} bytes; --raw prints them")
        console.print(made)
    return 0


def _int(id_: str) -> int:
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) <= MAX_ID_DIGITS else -1


def _print_raw(body: bytes) -> None:
    """Print the response unchanged; on a terminal, in ASCII and with JSON indented."""
    try:
        text = json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        text = ascii(body)
    console.print(Text(text), soft_wrap=True)


def _facts(report: Fields, more: Iterable[tuple[str, str]]) -> Table:
    made = facts()
    for name, value in (*head_facts(report), *more):
        made.add_row(name, cell(value))
    return made


def _dmarc(report: Fields) -> None:
    console.print(_facts(report, dmarc_facts(report)))
    made = table("source", "#messages", "=disposition", "=dkim", "=spf")
    for record in report["records"]:
        made.add_row(
            cell(record["source_ip"] or "not reported"),
            number(record["messages"]),
            record["disposition"],
            _coloured(record["dkim"]),
            _coloured(record["spf"]),
        )
        for line in checked(record):
            made.add_row(Text(f"  {harmless(line)}", style="dim"))
    console.print()
    console.print(made)
    whole = report["passed"] + report["failed"]
    aligned = f", {share(report['passed'], whole)} aligned" if whole else ""
    console.print(f"\n{counted(whole, 'message')} in {counted(len(report['records']), 'record')}{aligned}.")


def _coloured(result: str) -> Text:
    return Text(result, style={"pass": "green", "fail": "red"}.get(result, ""))


def _tls(report: Fields) -> None:
    console.print(_facts(report, ()))
    made = table("policy", "#success", "#failure")
    for policy in report["policies"]:
        name = Text.assemble(policy["type"], " for ", domain_cell(policy["domain"]))
        made.add_row(name, number(policy["successes"]), number(policy["failures"]))
        for detail in policy["details"]:
            made.add_row(Text(f"  {harmless(failure(detail))}", style="dim"), "", number(detail["sessions"]))
    console.print()
    console.print(made)
    whole = report["passed"] + report["failed"]
    failed = f", {share(report['failed'], whole)} failed" if whole else ""
    console.print(
        f"\n{counted(whole, 'session')} under {counted(len(report['policies']), 'policy', 'policies')}{failed}."
    )


def _arf(report: Fields) -> None:
    console.print(_facts(report, arf_facts(report)))


SHOWN: Mapping[str, Callable[[Fields], None]] = {"dmarc": _dmarc, "tls": _tls, "arf": _arf}
