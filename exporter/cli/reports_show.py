"""``reports show``: one report whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from rich.text import Text

from exporter.cli.reports_text import (
    cell,
    complain,
    console,
    day,
    domain_cell,
    harmless,
    minute,
    number,
    print_json,
    table,
)
from exporter.store.report_queries import Fields, load_raw, load_rejected, load_reports

EXIT_NOT_FOUND = 3
REJECTED_PREFIX = "rejected-"


def show_report(connection: sqlite3.Connection, id_: str, *, raw: bool, as_json: bool) -> int:
    """The report with this id of `reports list`, or ``rejected-<n>`` of `reports list --rejected`."""
    if id_.startswith(REJECTED_PREFIX):
        return _show_rejected(connection, id_, raw=raw, as_json=as_json)
    found = load_reports(connection, [_int(id_)])
    if not found:
        complain(f"there is no report {id_}")
        return EXIT_NOT_FOUND
    if raw:
        _print_raw(load_raw(connection, found[0]["id"]))
    elif as_json:
        print_json(found[0])
    else:
        _head(found[0])
        {"dmarc": _dmarc, "tls": _tls, "arf": _arf}[found[0]["kind"]](found[0])
    return 0


def _show_rejected(connection: sqlite3.Connection, id_: str, *, raw: bool, as_json: bool) -> int:
    found = load_rejected(connection, _int(id_.removeprefix(REJECTED_PREFIX)))
    if found is None:
        complain(f"there is no rejected report {id_}")
        return EXIT_NOT_FOUND
    body: bytes = found.pop("raw")
    found.pop("packed")
    if raw:
        _print_raw(body)
    elif as_json:
        print_json({**found, "raw": body.decode("utf-8", "replace")})
    else:
        made = table("", "")
        for name, value in found.items():
            made.add_row(name, cell(minute(value) if name.endswith("_at") else value))
        made.add_row("size", f"{number(len(body))} bytes; --raw prints them")
        console.print(made)
    return 0


def _int(id_: str) -> int:
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) < 19 else -1


def _print_raw(body: bytes) -> None:
    """The answer as it came; for a terminal in ASCII, and made readable where it is JSON."""
    try:
        text = json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        text = ascii(body)
    console.print(Text(text), soft_wrap=True)


def _head(report: Fields) -> None:
    made = table("", "")
    made.add_row("kind", report["kind"])
    made.add_row("reporter", cell(report["reporter"]))
    made.add_row("report id", cell(report["report_id"]))
    made.add_row("domain", domain_cell(report["domain"]))
    made.add_row("from", f"{minute(report['begins_at'])} UTC")
    made.add_row("to", f"{minute(report['ends_at'])} UTC")
    made.add_row("received", f"{minute(report['received_at'])} UTC")
    made.add_row("server", cell(report["server"]))
    console.print(made)


def _dmarc(report: Fields) -> None:
    policy = table("", "")
    for name, key in (("policy", "policy"), ("subdomains", "subdomain_policy"), ("np", "nonexistent_policy")):
        if report[key] != "unspecified":
            policy.add_row(name, cell(report[key]))
    policy.add_row("alignment", f"DKIM {report['dkim_alignment']}, SPF {report['spf_alignment']}")
    if report["percent"] is not None:
        policy.add_row("pct", str(report["percent"]))
    if report["testing"]:
        policy.add_row("testing", "yes")
    for error in report["errors"]:
        policy.add_row("error", cell(error))
    console.print(policy)
    made = table("source", "#messages", "disposition", "dkim", "spf", "header from", "checked", "override")
    for record in report["records"]:
        made.add_row(
            cell(record["source_ip"] or "not told"),
            number(record["messages"]),
            record["disposition"],
            _coloured(record["dkim"]),
            _coloured(record["spf"]),
            domain_cell(record["header_from"]),
            cell(" ".join(_checked(record["auth_results"]))),
            cell(" ".join(override["reason"] for override in record["overrides"])),
        )
    console.print(made)


def _checked(results: Sequence[Fields]) -> Sequence[str]:
    return [f"{r['method']}={r['result']} ({harmless(r['domain'], 60)})" for r in results]


def _coloured(result: str) -> Text:
    return Text(result, style={"pass": "green", "fail": "red"}.get(result, ""))


def _tls(report: Fields) -> None:
    made = table("policy", "domain", "#success", "#failure", "why", "from", "to")
    for policy in report["policies"]:
        made.add_row(
            policy["type"], domain_cell(policy["domain"]), number(policy["successes"]), number(policy["failures"])
        )
        for detail in policy["details"]:
            made.add_row(
                "",
                "",
                "",
                number(detail["sessions"]),
                detail["result"],
                cell(detail["sending_ip"]),
                cell(detail["receiving_host"] or detail["receiving_ip"]),
            )
    console.print(made)


def _arf(report: Fields) -> None:
    made = table("", "")
    for name, value in report.items():
        if name in _HEAD or value in ("", "unspecified", None, [], 0):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        made.add_row(name.replace("_", " "), cell(day(value) if name == "arrived_at" else shown))
    console.print(made)


_HEAD = frozenset(
    {
        "id",
        "server",
        "kind",
        "source_id",
        "reporter",
        "report_id",
        "domain",
        "begins_at",
        "ends_at",
        "received_at",
        "passed",
        "failed",
    }
)
