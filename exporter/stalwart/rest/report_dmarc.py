"""
DMARC aggregate reports as the server sends them.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/dmarc/{id}``; tests/recordings/rest-0.15.5. What
RFC 9990 adds (``np``, the discovery method, the generator) is read where it is there, and ``pct``, which it drops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from exporter.errors import PayloadError
from exporter.model.report_words import (
    AlignedResult,
    AlignmentMode,
    AuthResult,
    DiscoveryMethod,
    Disposition,
    OverrideReason,
    SpfScope,
)
from exporter.model.reports import (
    MOST_COUNTED,
    DkimResult,
    DmarcPolicy,
    DmarcRecord,
    DmarcReport,
    Override,
    SpfResult,
)
from exporter.stalwart.report_values import (
    Vocabulary,
    address,
    domain_or_text,
    moment,
    reporter_name,
    required_domain,
)
from exporter.stalwart.rest.report_numbers import Count, Seconds

_disposition = Vocabulary("dmarc_disposition", Disposition)
_policy = Vocabulary("dmarc_policy", Disposition)
_aligned = Vocabulary("dmarc_result", AlignedResult)
_alignment = Vocabulary("dmarc_alignment", AlignmentMode)
_discovery = Vocabulary("dmarc_discovery_method", DiscoveryMethod)
_override = Vocabulary("dmarc_override", OverrideReason)
_auth = Vocabulary("auth_result", AuthResult, {"tempfail": AuthResult.TEMPERROR, "permfail": AuthResult.PERMERROR})
_scope = Vocabulary("spf_scope", SpfScope, {"mailfrom": SpfScope.MFROM})


class _Range(Struct, gc=False):
    begin: Seconds
    end: Seconds


class _Metadata(Struct, gc=False):
    report_id: str
    date_range: _Range
    org_name: str | None = None
    email: str | None = None
    extra_contact_info: str | None = None
    error: list[str] | None = None
    generator: str | None = None


class _Published(Struct, gc=False):
    domain: str
    p: str | None = None
    sp: str | None = None
    np: str | None = None
    adkim: str | None = None
    aspf: str | None = None
    pct: Any = None
    testing: bool | None = None
    fo: str | None = None
    discovery_method: str | None = None


class _Reason(Struct, gc=False):
    type_: str | None = None
    comment: str | None = None


class _Evaluated(Struct, gc=False):
    disposition: str
    dkim: str
    spf: str
    reason: list[_Reason] | None = None


class _Row(Struct, gc=False):
    count: Count
    policy_evaluated: _Evaluated
    source_ip: str | None = None


class _Identifiers(Struct, gc=False):
    header_from: str | None = None
    envelope_from: str | None = None
    envelope_to: str | None = None


class _Dkim(Struct, gc=False):
    domain: str | None = None
    selector: str | None = None
    result: str | None = None
    human_result: str | None = None


class _Spf(Struct, gc=False):
    domain: str | None = None
    scope: str | None = None
    result: str | None = None
    human_result: str | None = None


class _AuthResults(Struct, gc=False):
    dkim: list[_Dkim] | None = None
    spf: list[_Spf] | None = None


class Record(Struct, gc=False):
    """One row of a report."""

    row: _Row
    identifiers: _Identifiers | None = None
    auth_results: _AuthResults | None = None


class Dmarc(Struct, gc=False):
    """What we read of a report."""

    report_metadata: _Metadata
    policy_published: _Published
    record: list[Record]


_NO_IDENTIFIERS = _Identifiers()
_NO_RESULTS = _AuthResults()

Names = tuple[str | None, str | None, str | None]


def read_dmarc(wire: Dmarc, sender: str | None, unknown: dict[str, int]) -> DmarcReport:
    """The report in our terms; *sender* is the address that mailed it. Raises `PayloadError`."""
    metadata, published = wire.report_metadata, wire.policy_published
    if sum([record.row.count for record in wire.record]) > MOST_COUNTED:
        raise PayloadError("data.report.record: more messages together than anybody can have counted")
    return DmarcReport(
        reporter=reporter_name(metadata.org_name, metadata.email, sender),
        report_id=metadata.report_id.strip(),
        begins_at=moment(metadata.date_range.begin),
        ends_at=moment(metadata.date_range.end),
        policy=_read_policy(published, unknown),
        records=_Reader(unknown).read(wire.record),
        email=metadata.email or "",
        extra_contact=metadata.extra_contact_info or "",
        errors=metadata.error or (),
        generator=metadata.generator or "",
    )


def _read_policy(published: _Published, unknown: dict[str, int]) -> DmarcPolicy:
    pct = published.pct
    return DmarcPolicy(
        domain=required_domain(published.domain, "data.report.policy_published.domain"),
        policy=_policy.read(published.p, unknown),
        subdomain_policy=_policy.read(published.sp, unknown),
        nonexistent_policy=_policy.read(published.np, unknown),
        dkim_alignment=_alignment.read(published.adkim, unknown),
        spf_alignment=_alignment.read(published.aspf, unknown),
        percent=pct if type(pct) is int and 0 <= pct <= 100 else None,
        testing=bool(published.testing),
        failure_options=published.fo or "",
        discovery_method=_discovery.read(published.discovery_method, unknown),
    )


class _Reader:
    """
    Reads the records of one report.

    Most of them have the same names and results, so what was read once is kept for the length of the report.
    """

    def __init__(self, unknown: dict[str, int]) -> None:
        self._unknown = unknown
        self._evaluated: dict[tuple[str, ...], tuple[Disposition, AlignedResult, AlignedResult]] = {}
        self._names: dict[Names, tuple[str, ...]] = {}
        self._dkim: dict[tuple[str | None, ...], DkimResult] = {}
        self._spf: dict[tuple[str | None, ...], SpfResult] = {}

    def read(self, records: Sequence[Record]) -> Sequence[DmarcRecord]:
        """All *records*, in their order."""
        return [self._record(record) for record in records]

    def _record(self, record: Record) -> DmarcRecord:
        row, evaluated = record.row, record.row.policy_evaluated
        results = (evaluated.disposition, evaluated.dkim, evaluated.spf)
        named = record.identifiers or _NO_IDENTIFIERS
        names = (named.header_from, named.envelope_from, named.envelope_to)
        auth = record.auth_results or _NO_RESULTS
        return DmarcRecord._make(
            (
                address(row.source_ip),
                row.count,
                *(self._evaluated.get(results) or self._words(results)),
                *(self._names.get(names) or self._domains(names)),
                [self._dkim_result(result) for result in auth.dkim] if auth.dkim else (),
                [self._spf_result(result) for result in auth.spf] if auth.spf else (),
                [self._override(reason) for reason in evaluated.reason] if evaluated.reason else (),
            )
        )

    def _domains(self, names: Names) -> tuple[str, ...]:
        domains = tuple(map(domain_or_text, names))
        self._names[names] = domains
        return domains

    def _words(self, results: tuple[str, str, str]) -> tuple[Disposition, AlignedResult, AlignedResult]:
        disposition, dkim, spf = results
        words = (
            _disposition.read(disposition, self._unknown),
            _aligned.read(dkim, self._unknown),
            _aligned.read(spf, self._unknown),
        )
        self._evaluated[results] = words
        return words

    def _dkim_result(self, wire: _Dkim) -> DkimResult:
        key = (wire.domain, wire.selector, wire.result, wire.human_result)
        known = self._dkim.get(key)
        if known is None:
            result = _auth.read(wire.result, self._unknown)
            known = DkimResult(domain_or_text(wire.domain), wire.selector or "", result, wire.human_result or "")
            self._dkim[key] = known
        return known

    def _spf_result(self, wire: _Spf) -> SpfResult:
        key = (wire.domain, wire.scope, wire.result, wire.human_result)
        known = self._spf.get(key)
        if known is None:
            scope, result = _scope.read(wire.scope, self._unknown), _auth.read(wire.result, self._unknown)
            known = SpfResult(domain_or_text(wire.domain), scope, result, wire.human_result or "")
            self._spf[key] = known
        return known

    def _override(self, wire: _Reason) -> Override:
        return Override(_override.read(wire.type_, self._unknown), wire.comment or "")
