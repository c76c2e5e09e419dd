"""Whole reports for other programs; CSV has one line per record, policy, failure or feedback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.history.exports import Exported
from exporter.store.reading import History
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.queries import iterate_reports

Fields = Mapping[str, Any]

HEAD = ("id", "server", "kind", "reporter", "report_id", "domain", "begins_at", "ends_at", "received_at")
RECORD = ("source_ip", "messages", "disposition", "dkim", "spf", "header_from", "envelope_from", "envelope_to")
TLS = ("policy_type", "policy_domain", "successes", "failures", "failure", "failed_sessions", "receiving_host")
ABOUT = ("arrived_at", "mail_from", "rcpt_to")
FEEDBACK = ("feedback_type", "incidents", "auth_failure", "delivery_result", "identity_alignment", *ABOUT)
COLUMNS = ("line", *HEAD, *RECORD, *TLS, *FEEDBACK)


def exported_reports(connection: History, wanted: ReportFilter) -> Exported:
    """Return all wanted reports, oldest first."""
    return Exported(items=iterate_reports(connection, wanted), noun="reports", columns=COLUMNS, lines=_lines)


def _lines(report: Fields) -> Iterator[Fields]:
    head = {name: report[name] for name in HEAD}
    return ({**head, **line} for line in _contents(report))


def _contents(report: Fields) -> Iterator[Fields]:
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
