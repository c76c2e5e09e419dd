"""``reports show``: one report in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from exporter.cli.history.text import cell, domain_cell, facts, print_json, table
from exporter.cli.output import complain, console
from exporter.domains import shown_domain
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
        SHOWN[found[0]["kind"]](found[0], _head(found[0]))
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
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) < 19 else -1


def _print_raw(body: bytes) -> None:
    """Print the response unchanged; on a terminal, in ASCII and with JSON indented."""
    try:
        text = json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        text = ascii(body)
    console.print(Text(text), soft_wrap=True)


def _head(report: Fields) -> Table:
    made = facts()
    made.add_row("kind", report["kind"])
    made.add_row("reporter", cell(report["reporter"]))
    made.add_row("report id", cell(report["report_id"]))
    made.add_row("domain", domain_cell(report["domain"]))
    if report["kind"] != "arf":
        made.add_row("from", f"{minute(report['begins_at'])} UTC")
        made.add_row("to", f"{minute(report['ends_at'])} UTC")
    made.add_row("received", f"{minute(report['received_at'])} UTC")
    made.add_row("server", cell(report["server"]))
    return made


def _dmarc(report: Fields, head: Table) -> None:
    for name, key in (
        ("contact", "email"),
        ("extra contact", "extra_contact"),
        ("generator", "generator"),
        ("policy", "policy"),
        ("for subdomains", "subdomain_policy"),
        ("for nonexistent subdomains", "nonexistent_policy"),
        ("discovery method", "discovery_method"),
        ("failure options", "failure_options"),
    ):
        if report[key] not in ("", "unspecified"):
            head.add_row(name, cell(report[key]))
    head.add_row("alignment", f"DKIM {report['dkim_alignment']}, SPF {report['spf_alignment']}")
    if report["percent"] is not None:
        head.add_row("pct", str(report["percent"]))
    if report["testing"]:
        head.add_row("testing", "yes")
    for error in report["errors"]:
        head.add_row("error", cell(error))
    console.print(head)
    made = table("source", "#messages", "=disposition", "=dkim", "=spf")
    for record in report["records"]:
        made.add_row(
            cell(record["source_ip"] or "not reported"),
            number(record["messages"]),
            record["disposition"],
            _coloured(record["dkim"]),
            _coloured(record["spf"]),
        )
        for line in _checked(record):
            made.add_row(Text(f"  {harmless(line)}", style="dim"))
    console.print()
    console.print(made)
    whole = report["passed"] + report["failed"]
    aligned = f", {share(report['passed'], whole)} aligned" if whole else ""
    console.print(f"\n{counted(whole, 'message')} in {counted(len(report['records']), 'record')}{aligned}.")


def _checked(record: Fields) -> Iterator[str]:
    """Yield the lines about a record besides its results."""
    for name in ("header_from", "envelope_from", "envelope_to"):
        if record[name]:
            yield f"{name.replace('_', ' ')} {shown_domain(record[name])}"
    for result in record["auth_results"]:
        detail = "" if result["detail"] in ("", "unspecified") else f" ({result['detail']})"
        said = f": {result['human_result']}" if result["human_result"] else ""
        yield f"{result['method']}={result['result']} {shown_domain(result['domain'])}{detail}{said}"
    for override in record["overrides"]:
        comment = f": {override['comment']}" if override["comment"] else ""
        yield f"policy overridden: {override['reason']}{comment}"


def _coloured(result: str) -> Text:
    return Text(result, style={"pass": "green", "fail": "red"}.get(result, ""))


def _tls(report: Fields, head: Table) -> None:
    console.print(head)
    made = table("policy", "#success", "#failure")
    for policy in report["policies"]:
        name = Text.assemble(policy["type"], " for ", domain_cell(policy["domain"]))
        made.add_row(name, number(policy["successes"]), number(policy["failures"]))
        for detail in policy["details"]:
            made.add_row(Text(f"  {harmless(_failure(detail))}", style="dim"), "", number(detail["sessions"]))
    console.print()
    console.print(made)
    whole = report["passed"] + report["failed"]
    failed = f", {share(report['failed'], whole)} failed" if whole else ""
    console.print(
        f"\n{counted(whole, 'session')} under {counted(len(report['policies']), 'policy', 'policies')}{failed}."
    )


def _failure(detail: Fields) -> str:
    hosts = [
        f"{word} {' '.join(filter(None, names))}"
        for word, names in (
            ("from", [detail["sending_ip"]]),
            ("to", [detail["receiving_host"], detail["receiving_ip"]]),
        )
        if any(names)
    ]
    said = [text for text in (detail["reason_code"], detail["information"]) if text]
    return ", ".join([" ".join([detail["result"], *hosts]), *said])


def _arf(report: Fields, head: Table) -> None:
    for name, value in report.items():
        if name in _HEAD or value in ("", "unspecified", None, [], 0):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        arrived = name == "arrived_at"
        head.add_row(name.removesuffix("_at").replace("_", " "), cell(f"{minute(value)} UTC" if arrived else shown))
    console.print(head)


SHOWN: Mapping[str, Callable[[Fields, Table], None]] = {"dmarc": _dmarc, "tls": _tls, "arf": _arf}

_HEAD: Sequence[str] = (
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
)
