"""From reports to rows: pure, and the same for one report as for a thousand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from exporter.model.reports import (
    ArfReport,
    DmarcPolicy,
    DmarcRecord,
    DmarcReport,
    IncomingReport,
    TlsReport,
    UnreadableReport,
)
from exporter.stalwart.report_ids import lasting_id
from exporter.store.report_packing import pack
from exporter.store.report_sums import DAY_SECONDS
from exporter.store.reports_schema import TEXT_LIMIT

INSERTS = {
    "report": "INSERT INTO report VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "report_raw": "INSERT INTO report_raw VALUES (?, ?)",
    "dmarc_policy": "INSERT INTO dmarc_policy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "dmarc_record": "INSERT INTO dmarc_record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "dmarc_auth": "INSERT INTO dmarc_auth VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "dmarc_override": "INSERT INTO dmarc_override VALUES (?, ?, ?, ?, ?)",
    "tls_policy": "INSERT INTO tls_policy VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "tls_failure": "INSERT INTO tls_failure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "arf_feedback": (
        "INSERT INTO arf_feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ),
    "report_rejected": (
        "INSERT OR IGNORE INTO report_rejected"
        " (server, kind, source_id, received_at, rejected_at, reason, packed) VALUES (?, ?, ?, ?, ?, ?, ?)"
    ),
    "dmarc_day": (
        "INSERT INTO dmarc_day VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (server, day, domain) DO UPDATE SET"
        " aligned = aligned + excluded.aligned, failed = failed + excluded.failed, reports = reports + excluded.reports"
    ),
    "dmarc_reporter": (
        "INSERT INTO dmarc_reporter VALUES (?, ?, ?, ?, ?) ON CONFLICT (server, domain, reporter) DO UPDATE SET"
        " reports = reports + excluded.reports, last_received_at = max(last_received_at, excluded.last_received_at)"
    ),
}
"""The statement of each table; parents stand before their children."""

Row = tuple[Any, ...]


def identity_of(report: IncomingReport) -> bytes:
    """
    Sixteen bytes that equal reports share and, for all practical purposes, only they.

    The first four are the day that the report ends, if it has an end: what comes in together then stands together in
    the index, and a large one is not written to all over.
    """
    content = report.content
    day = 0 if isinstance(content, ArfReport) else _seconds(content.ends_at) // DAY_SECONDS
    identity = ascii((report.kind.value, *content.identity))
    return day.to_bytes(4, "big") + blake2b(identity.encode("ascii"), digest_size=12).digest()


class _Alike(NamedTuple):
    """What records of one kind come to; the first of them keeps the objects that they share."""

    first: DmarcRecord
    aligned: bool
    results: Row
    checks: Sequence[Row]


@dataclass(slots=True)
class ReportRows:
    """
    The rows of some reports of one server, by table.

    Attributes:
        next_id: The ``id`` of the next report.
        tables: In the order of `INSERTS`.
    """

    server: str
    next_id: int = 1
    tables: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in INSERTS})
    _days: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    _reporters: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _policies: dict[int, tuple[DmarcPolicy, Row]] = field(default_factory=dict)
    _alike: dict[tuple[int, ...], _Alike] = field(default_factory=dict)

    def add(self, report: IncomingReport, identity: bytes) -> None:
        """One more report, which must be new."""
        id_ = self.next_id
        self.next_id += 1
        content = report.content
        if isinstance(content, DmarcReport):
            row = self._dmarc(id_, report, content)
        elif isinstance(content, TlsReport):
            row = self._tls(id_, content)
        else:
            row = self._arf(id_, report, content)
        head = (id_, self.server, report.kind.value, identity, report.source_id, cut(content.reporter))
        self.tables["report"].append((*head, *row[:4], _seconds(report.received_at), *row[4:]))
        self.tables["report_raw"].append((id_, pack(report.raw)))

    def reject(self, report: UnreadableReport, rejected_at: datetime) -> None:
        """One more report that could not be read."""
        times = (_seconds(report.received_at), _seconds(rejected_at))
        head = (self.server, report.kind.value, lasting_id(report.source_id))
        self.tables["report_rejected"].append((*head, *times, cut(report.reason), pack(report.raw)))

    def statements(self) -> Iterator[tuple[str, Sequence[Row]]]:
        """What to execute for many rows each."""
        days = [(self.server, day, domain, *sums) for (day, domain), sums in sorted(self._days.items())]
        heard = [(self.server, *names, *values) for names, values in sorted(self._reporters.items())]
        for table, rows in {**self.tables, "dmarc_day": days, "dmarc_reporter": heard}.items():
            if rows:
                yield INSERTS[table], rows

    def _dmarc(self, id_: int, report: IncomingReport, content: DmarcReport) -> Row:
        ends_at = _seconds(content.ends_at)
        aligned, failed = self._records(id_, content)
        self._add_sums(report, content, ends_at, aligned, failed)
        contact = (cut(content.email), cut(content.extra_contact), _listed(content.errors), cut(content.generator))
        # Reports about one domain mostly share the policy, as an object, so its part of the row is made once.
        known = self._policies.get(id(content.policy))
        if known is None:
            known = self._policies[id(content.policy)] = (content.policy, _policy(content.policy))
        self.tables["dmarc_policy"].append((id_, *contact, *known[1]))
        return cut(content.report_id), content.domain, _seconds(content.begins_at), ends_at, aligned, failed

    def _add_sums(self, report: IncomingReport, content: DmarcReport, ends_at: int, aligned: int, failed: int) -> None:
        day = self._days.setdefault((ends_at // DAY_SECONDS, content.domain), [0, 0, 0])
        day[0] += aligned
        day[1] += failed
        day[2] += 1
        reporter = self._reporters.setdefault((content.domain, cut(content.reporter)), [0, 0])
        reporter[0] += 1
        reporter[1] = max(reporter[1], _seconds(report.received_at))

    def _records(self, id_: int, content: DmarcReport) -> tuple[int, int]:
        """The rows of all records; how many messages were aligned, and how many were not."""
        aligned = failed = 0
        records, auths = self.tables["dmarc_record"], self.tables["dmarc_auth"]
        alike = self._alike
        for number, r in enumerate(content.records):
            # Records that are alike share what they were read into, as objects, so that part of the rows is made once.
            key = tuple(map(id, r[2:10]))
            known = alike.get(key)
            if known is None:
                known = alike[key] = _Alike(r, r.aligned, _results(r), _checks(r))
            if known.aligned:
                aligned += r.messages
            else:
                failed += r.messages
            records.append((id_, number, r.source_ip, r.messages, *known.results))
            auths.extend([(id_, number, *row) for row in known.checks])
            for at, override in enumerate(r.overrides):
                self.tables["dmarc_override"].append((id_, number, at, override.reason.value, cut(override.comment)))
        return aligned, failed

    def _tls(self, id_: int, content: TlsReport) -> Row:
        successes = failures = 0
        for number, policy in enumerate(content.policies):
            successes += policy.successes
            failures += policy.failures
            texts = (_listed(policy.strings), _listed(policy.mx_hosts))
            self.tables["tls_policy"].append(
                (id_, number, policy.type.value, policy.domain, *texts, policy.successes, policy.failures)
            )
            self.tables["tls_failure"].extend(
                (id_, number, at, detail.result.value, detail.sessions, *map(cut, detail[2:]))
                for at, detail in enumerate(policy.details)
            )
        times = (_seconds(content.begins_at), _seconds(content.ends_at))
        return cut(content.report_id), content.domain, *times, successes, failures

    def _arf(self, id_: int, report: IncomingReport, content: ArfReport) -> Row:
        at = _seconds(content.arrived_at or report.received_at)
        self.tables["arf_feedback"].append((id_, *feedback_row(content)))
        return cut(content.source_id), cut(content.domain), at, at, 0, content.incidents


FEEDBACK_LISTS = slice(10, 13)
"""The columns of `feedback_row` that hold a JSON list."""


def feedback_row(content: ArfReport) -> Row:
    """The row of ``arf_feedback`` from the column ``feedback_type`` on."""
    texts = (content.reporting_mta, content.envelope_id, content.mail_from, content.rcpt_to)
    lists = (content.domains, content.uris, content.authentication_results)
    words = (content.auth_failure.value, content.delivery_result.value, content.identity_alignment.value)
    dkim = (content.dkim_domain, content.dkim_identity, content.dkim_selector, content.dkim_selector_dns)
    return (
        content.feedback_type.value,
        content.incidents,
        None if content.arrived_at is None else _seconds(content.arrived_at),
        cut(content.user_agent),
        content.source_ip,
        content.source_port,
        *map(cut, texts),
        *map(_listed, lists),
        *words,
        *map(cut, (*dkim, content.dkim_adsp_dns, content.spf_dns)),
    )


def _policy(policy: DmarcPolicy) -> Row:
    """The row of ``dmarc_policy`` from the column ``policy`` on."""
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


def _results(record: DmarcRecord) -> Row:
    """The row of ``dmarc_record`` from the column ``disposition`` on."""
    words = (record.disposition.value, record.dkim.value, record.spf.value)
    return *words, cut(record.header_from), cut(record.envelope_from), cut(record.envelope_to)


def _checks(record: DmarcRecord) -> Sequence[Row]:
    """The rows of ``dmarc_auth`` from the column ``number`` on."""
    rows = [
        ("dkim", cut(dkim.domain), cut(dkim.selector), dkim.result.value, cut(dkim.human_result))
        for dkim in record.dkim_results
    ] + [
        ("spf", cut(spf.domain), spf.scope.value, spf.result.value, cut(spf.human_result)) for spf in record.spf_results
    ]
    return [(at, *row) for at, row in enumerate(rows)]


def cut(text: str) -> str:
    """A text for a column."""
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _listed(texts: Sequence[str]) -> str:
    """Several texts in one column, as a JSON list; cut so that it stays one."""
    if not texts:
        return "[]"
    kept = [cut(text) for text in texts[:100]]
    return json.dumps(kept, ensure_ascii=False)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
