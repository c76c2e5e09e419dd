"""One report as names and values, and its records in lines; texts are as the reporter wrote them."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.domains import shown_domain
from exporter.history.texts import minute
from exporter.store.reports.queries import Fields

MAX_ID_DIGITS = 18
"""More digits than an id in the history has."""

Fact = tuple[str, str]

_HEAD = (
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
_DMARC = (
    ("contact", "email"),
    ("extra contact", "extra_contact"),
    ("generator", "generator"),
    ("policy", "policy"),
    ("for subdomains", "subdomain_policy"),
    ("for nonexistent subdomains", "nonexistent_policy"),
    ("discovery method", "discovery_method"),
    ("failure options", "failure_options"),
)


def head_facts(report: Fields) -> Iterator[Fact]:
    """Yield what all kinds of reports have."""
    yield "kind", report["kind"]
    yield "reporter", report["reporter"]
    yield "report id", report["report_id"]
    yield "domain", shown_domain(report["domain"])
    if report["kind"] != "arf":
        yield "from", f"{minute(report['begins_at'])} UTC"
        yield "to", f"{minute(report['ends_at'])} UTC"
    yield "received", f"{minute(report['received_at'])} UTC"
    yield "server", report["server"]


def dmarc_facts(report: Fields) -> Iterator[Fact]:
    """Yield what a DMARC report has besides its records."""
    for name, key in _DMARC:
        if report[key] not in ("", "unspecified"):
            yield name, report[key]
    yield "alignment", f"DKIM {report['dkim_alignment']}, SPF {report['spf_alignment']}"
    if report["percent"] is not None:
        yield "pct", str(report["percent"])
    if report["testing"]:
        yield "testing", "yes"
    for error in report["errors"]:
        yield "error", error


def arf_facts(report: Fields) -> Iterator[Fact]:
    """Yield what a feedback report has."""
    for name, value in report.items():
        if name in _HEAD or value in ("", "unspecified", None, [], 0):
            continue
        if name == "arrived_at":
            shown = f"{minute(value)} UTC"
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield name.removesuffix("_at").replace("_", " "), shown


def checked(record: Fields) -> Iterator[str]:
    """Yield the lines about a record of a DMARC report besides its results."""
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


def failure(detail: Fields) -> str:
    """Return a failure of a TLS report in one line."""
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
