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

    Most of them are alike but for source and number: what was read once is kept for the length of the report.
    """

    def __init__(self, unknown: dict[str, int]) -> None:
        self._unknown = unknown
        self._alike: dict[tuple[str | None, ...], Sequence[Any]] = {}

    def read(self, records: Sequence[Record]) -> Sequence[DmarcRecord]:
        """All *records*, in their order."""
        make = DmarcRecord._make
        return [make((address(r.row.source_ip), r.row.count, *self._results(r))) for r in records]

    def _results(self, record: Record) -> Sequence[Any]:
        """Everything but source and number, in the order of `DmarcRecord`."""
        evaluated = record.row.policy_evaluated
        named, auth = record.identifiers or _NO_IDENTIFIERS, record.auth_results or _NO_RESULTS
        names = (named.header_from, named.envelope_from, named.envelope_to)
        words = (evaluated.disposition, evaluated.dkim, evaluated.spf)
        dkim, spf = auth.dkim or (), auth.spf or ()
        if evaluated.reason or len(dkim) != 1 or len(spf) != 1:
            return self._fresh(words, names, dkim, spf, evaluated.reason or ())
        (d,), (s,) = dkim, spf
        checks = (d.domain, d.selector, d.result, d.human_result, s.domain, s.scope, s.result, s.human_result)
        key = (*words, *names, *checks)
        known = self._alike.get(key)
        if known is None:
            known = self._alike[key] = self._fresh(words, names, dkim, spf, ())
        return known

    def _fresh(
        self,
        words: tuple[str, str, str],
        names: tuple[str | None, ...],
        dkim: Sequence[_Dkim],
        spf: Sequence[_Spf],
        reasons: Sequence[_Reason],
    ) -> Sequence[Any]:
        disposition, *aligned = words
        return (
            _disposition.read(disposition, self._unknown),
            *[_aligned.read(word, self._unknown) for word in aligned],
            *map(domain_or_text, names),
            [self._dkim(result) for result in dkim],
            [self._spf(result) for result in spf],
            [Override(_override.read(reason.type_, self._unknown), reason.comment or "") for reason in reasons],
        )

    def _dkim(self, wire: _Dkim) -> DkimResult:
        result = _auth.read(wire.result, self._unknown)
        return DkimResult(domain_or_text(wire.domain), wire.selector or "", result, wire.human_result or "")

    def _spf(self, wire: _Spf) -> SpfResult:
        scope, result = _scope.read(wire.scope, self._unknown), _auth.read(wire.result, self._unknown)
        return SpfResult(domain_or_text(wire.domain), scope, result, wire.human_result or "")
