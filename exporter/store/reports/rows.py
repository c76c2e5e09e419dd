"""Conversion of reports to rows; pure."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from itertools import chain
from typing import Any

from exporter.clock import unix_second
from exporter.model.incoming_reports import IncomingReport, UnreadableReport
from exporter.model.reports import ArfReport, DmarcPolicy, DmarcReport, TlsReport
from exporter.stalwart.common.report_ids import lasting_id
from exporter.store.inserts import Insert
from exporter.store.reports.packing import pack
from exporter.store.reports.records import RecordRows
from exporter.store.reports.sums import DAY_SECONDS
from exporter.store.reports.texts import cut, listed

INSERTS = {
    "report": Insert("report", 13),
    "report_raw": Insert("report_raw", 2),
    "dmarc_policy": Insert("dmarc_policy", 14),
    "tls_policy": Insert("tls_policy", 8),
    "tls_failure": Insert("tls_failure", 11),
    "arf_feedback": Insert("arf_feedback", 23),
    "report_rejected": Insert(
        "report_rejected (server, kind, source_id, received_at, rejected_at, reason, packed)",
        7,
        "ON CONFLICT (server, kind, source_id) DO NOTHING",
    ),
    "dmarc_day": Insert(
        "dmarc_day",
        6,
        "ON CONFLICT (server, day, domain) DO UPDATE SET aligned = aligned + excluded.aligned,"
        " failed = failed + excluded.failed, reports = reports + excluded.reports",
    ),
    "dmarc_reporter": Insert(
        "dmarc_reporter",
        5,
        "ON CONFLICT (server, domain, reporter) DO UPDATE SET reports = reports + excluded.reports,"
        " last_received_at = max(last_received_at, excluded.last_received_at)",
    ),
}
"""The INSERT statements of all tables except those of DMARC records; parents before children."""

Row = tuple[Any, ...]


def identity_of(report: IncomingReport) -> bytes:
    """
    Return sixteen bytes that identify a report: equal reports share them; see `TlsReport.identity`.

    The first four bytes are the day on which the report ends, if it has an end. Reports that arrive together are then
    adjacent in the index, so that a large index is not written to at random places.
    """
    content = report.content
    day = 0 if isinstance(content, ArfReport) else unix_second(content.ends_at) // DAY_SECONDS
    identity = ascii((str(report.kind), *content.identity))
    return day.to_bytes(4, "big") + blake2b(identity.encode("ascii"), digest_size=12).digest()


@dataclass(slots=True)
class ReportRows:
    """
    The rows of some reports of one server, by table.

    Attributes:
        next_id: The ``id`` of the next report.
        tables: In the order of `INSERTS`; the values of all rows as a flat list.
        records: The rows of DMARC records.
    """

    server: str
    next_id: int = 1
    tables: dict[str, list[Any]] = field(default_factory=lambda: {table: [] for table in INSERTS})
    records: RecordRows = field(default_factory=RecordRows)
    _days: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    _reporters: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _policies: dict[int, tuple[DmarcPolicy, Row]] = field(default_factory=dict)

    def add(self, report: IncomingReport, identity: bytes) -> None:
        """Add a report, which must be new."""
        id_ = self.next_id
        self.next_id += 1
        content = report.content
        reporter, received_at = cut(content.reporter), unix_second(report.received_at)
        if isinstance(content, DmarcReport):
            about, sums = self._dmarc(id_, content, reporter, received_at)
        elif isinstance(content, TlsReport):
            about, sums = self._tls(id_, content)
        else:
            about, sums = self._arf(id_, content, received_at)
        row = self.tables["report"]
        row += (id_, self.server, str(report.kind), identity, report.source_id, reporter)
        row += about
        row.append(received_at)
        row += sums
        self.tables["report_raw"] += (id_, pack(report.raw))

    def reject(self, report: UnreadableReport, rejected_at: datetime) -> None:
        """Add a rejected report."""
        times = (unix_second(report.received_at), unix_second(rejected_at))
        head = (self.server, report.kind.value, lasting_id(report.source_id))
        self.tables["report_rejected"] += (*head, *times, cut(report.reason), pack(report.raw))

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert all rows; requires an open transaction."""
        days = [(self.server, day, domain, *sums) for (day, domain), sums in sorted(self._days.items())]
        heard = [(self.server, *names, *values) for names, values in sorted(self._reporters.items())]
        sums = {"dmarc_day": list(chain(*days)), "dmarc_reporter": list(chain(*heard))}
        for table, values in {**self.tables, **sums}.items():
            INSERTS[table].write(connection, values)
        self.records.write(connection)

    def _dmarc(self, id_: int, content: DmarcReport, reporter: str, received_at: int) -> tuple[Row, Row]:
        begins_at, ends_at = unix_second(content.begins_at), unix_second(content.ends_at)
        sums = self.records.add(id_, content.records)
        self._add_sums((ends_at // DAY_SECONDS, content.domain), sums)
        heard = self._reporters.setdefault((content.domain, reporter), [0, 0])
        heard[0] += 1
        if received_at > heard[1]:
            heard[1] = received_at
        # Reports about one domain usually share the policy object, so its values are built once.
        known = self._policies.get(id(content.policy))
        if known is None:
            known = self._policies[id(content.policy)] = (content.policy, _policy(content.policy))
        row = self.tables["dmarc_policy"]
        row += (id_, cut(content.email), cut(content.extra_contact), listed(content.errors), cut(content.generator))
        row += known[1]
        return (cut(content.report_id), content.domain, begins_at, ends_at), sums

    def _add_sums(self, day: tuple[int, str], sums: tuple[int, int]) -> None:
        known = self._days.setdefault(day, [0, 0, 0])
        known[0] += sums[0]
        known[1] += sums[1]
        known[2] += 1

    def _tls(self, id_: int, content: TlsReport) -> tuple[Row, Row]:
        successes = failures = 0
        for number, policy in enumerate(content.policies):
            successes += policy.successes
            failures += policy.failures
            texts = (listed(policy.strings), listed(policy.mx_hosts))
            head = (id_, number, policy.type.value, policy.domain)
            self.tables["tls_policy"] += (*head, *texts, policy.successes, policy.failures)
            for at, detail in enumerate(policy.details):
                self.tables["tls_failure"] += (id_, number, at, detail.result.value, detail.sessions)
                self.tables["tls_failure"] += map(cut, detail[2:])
        times = (unix_second(content.begins_at), unix_second(content.ends_at))
        return (cut(content.report_id), content.domain, *times), (successes, failures)

    def _arf(self, id_: int, content: ArfReport, received_at: int) -> tuple[Row, Row]:
        at = received_at if content.arrived_at is None else unix_second(content.arrived_at)
        self.tables["arf_feedback"] += (id_, *feedback_row(content))
        return (cut(content.source_id), cut(content.domain), at, at), (0, content.incidents)


FEEDBACK_LISTS = slice(10, 13)
"""The columns of `feedback_row` that hold a JSON list."""


def feedback_row(content: ArfReport) -> Row:
    """Return the values of an ``arf_feedback`` row from the column ``feedback_type`` on."""
    texts = (content.reporting_mta, content.envelope_id, content.mail_from, content.rcpt_to)
    lists = (content.domains, content.uris, content.authentication_results)
    words = (content.auth_failure.value, content.delivery_result.value, content.identity_alignment.value)
    dkim = (content.dkim_domain, content.dkim_identity, content.dkim_selector, content.dkim_selector_dns)
    return (
        content.feedback_type.value,
        content.incidents,
        None if content.arrived_at is None else unix_second(content.arrived_at),
        cut(content.user_agent),
        content.source_ip,
        content.source_port,
        *map(cut, texts),
        *map(listed, lists),
        *words,
        *map(cut, (*dkim, content.dkim_adsp_dns, content.spf_dns)),
    )


def _policy(policy: DmarcPolicy) -> Row:
    """Return the values of a ``dmarc_policy`` row from the column ``policy`` on."""
    return (
        policy.policy.value,
        policy.subdomain_policy.value,
        policy.nonexistent_policy.value,
        policy.dkim_alignment.value,
        policy.spf_alignment.value,
        policy.percent,
        int(policy.testing),
        cut(policy.failure_options),
        policy.discovery_method.value,
    )
