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


def read_dmarc(wire: Dmarc, sender: str | None, unknown: dict[str, int]) -> DmarcReport:
    """The report in our terms; *sender* is the address that mailed it. Raises `PayloadError`."""
    metadata, published = wire.report_metadata, wire.policy_published
    report = DmarcReport(
        reporter=reporter_name(metadata.org_name, metadata.email, sender),
        report_id=metadata.report_id.strip(),
        begins_at=moment(metadata.date_range.begin),
        ends_at=moment(metadata.date_range.end),
        policy=_read_policy(published, unknown),
        records=[_read_record(record, unknown) for record in wire.record],
        email=metadata.email or "",
        extra_contact=metadata.extra_contact_info or "",
        errors=metadata.error or (),
        generator=metadata.generator or "",
    )
    if sum(report.messages()) > MOST_COUNTED:
        raise PayloadError("data.report.record: more messages together than anybody can have counted")
    return report


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


def _read_record(record: Record, unknown: dict[str, int]) -> DmarcRecord:
    row, evaluated = record.row, record.row.policy_evaluated
    identifiers = record.identifiers or _NO_IDENTIFIERS
    results = record.auth_results or _NO_RESULTS
    return DmarcRecord(
        address(row.source_ip),
        row.count,
        _disposition.read(evaluated.disposition, unknown),
        _aligned.read(evaluated.dkim, unknown),
        _aligned.read(evaluated.spf, unknown),
        domain_or_text(identifiers.header_from),
        domain_or_text(identifiers.envelope_from),
        domain_or_text(identifiers.envelope_to),
        [
            DkimResult(
                domain_or_text(dkim.domain),
                dkim.selector or "",
                _auth.read(dkim.result, unknown),
                dkim.human_result or "",
            )
            for dkim in results.dkim or ()
        ],
        [
            SpfResult(
                domain_or_text(spf.domain),
                _scope.read(spf.scope, unknown),
                _auth.read(spf.result, unknown),
                spf.human_result or "",
            )
            for spf in results.spf or ()
        ],
        _read_overrides(evaluated.reason, unknown) if evaluated.reason else (),
    )


def _read_overrides(reasons: Sequence[_Reason], unknown: dict[str, int]) -> Sequence[Override]:
    return [Override(_override.read(reason.type_, unknown), reason.comment or "") for reason in reasons]
