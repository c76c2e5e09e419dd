"""
DMARC aggregate reports as the server sends them.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/dmarc/{id}``; tests/recordings/rest-0.15.5. What
RFC 9990 adds (``np``, the discovery method, the generator) is read where it is there, and ``pct``, which it drops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

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


ALIKE = 1024
"""How many kinds of records and of policies are remembered: many reports are about the same few senders."""

ALIKE_BYTES = 16 * 1024
"""Of a report up to this size; a larger one may hold texts that are not worth remembering."""


def read_dmarc(wire: Dmarc, sender: str | None, unknown: dict[str, int], *, size_bytes: int) -> DmarcReport:
    """The report in our terms; *sender* is the address that mailed it. Raises `PayloadError`."""
    metadata, remember = wire.report_metadata, size_bytes <= ALIKE_BYTES
    if sum([record.row.count for record in wire.record]) > MOST_COUNTED:
        raise PayloadError("data.report.record: more messages together than anybody can have counted")
    return DmarcReport(
        reporter=reporter_name(metadata.org_name, metadata.email, sender),
        report_id=metadata.report_id.strip(),
        begins_at=moment(metadata.date_range.begin),
        ends_at=moment(metadata.date_range.end),
        policy=_read_policy(wire.policy_published, unknown, remember=remember),
        records=_read_records(wire.record, unknown, remember=remember),
        email=metadata.email or "",
        extra_contact=metadata.extra_contact_info or "",
        errors=metadata.error or (),
        generator=metadata.generator or "",
    )


Unknown = Mapping[str, int]
Texts = tuple[str | None, ...]


def _read_policy(published: _Published, unknown: dict[str, int], *, remember: bool) -> DmarcPolicy:
    of = published
    texts = (of.domain, of.p, of.sp, of.np, of.adkim, of.aspf, of.fo, of.discovery_method)
    pct = of.pct if type(of.pct) is int and 0 <= of.pct <= 100 else None
    make = _policy_alike if remember else _policy_alike.__wrapped__
    policy, not_known = make(texts, pct, bool(of.testing))
    _count(not_known, unknown)
    return policy


@lru_cache(maxsize=ALIKE)
def _policy_alike(texts: Texts, percent: int | None, testing: bool) -> tuple[DmarcPolicy, Unknown]:
    domain, p, sp, np, adkim, aspf, fo, discovery = texts
    unknown: dict[str, int] = {}
    policy = DmarcPolicy(
        domain=required_domain(domain or "", "data.report.policy_published.domain"),
        policy=_policy.read(p, unknown),
        subdomain_policy=_policy.read(sp, unknown),
        nonexistent_policy=_policy.read(np, unknown),
        dkim_alignment=_alignment.read(adkim, unknown),
        spf_alignment=_alignment.read(aspf, unknown),
        percent=percent,
        testing=testing,
        failure_options=fo or "",
        discovery_method=_discovery.read(discovery, unknown),
    )
    return policy, unknown


def _read_records(records: Sequence[Record], unknown: dict[str, int], *, remember: bool) -> Sequence[DmarcRecord]:
    make, results = DmarcRecord._make, _results_alike if remember else _results_alike.__wrapped__
    read = []
    for record in records:
        row, evaluated = record.row, record.row.policy_evaluated
        named, auth = record.identifiers or _NO_IDENTIFIERS, record.auth_results or _NO_RESULTS
        values, not_known = results(
            (evaluated.disposition, evaluated.dkim, evaluated.spf),
            astuple(named),
            tuple(map(astuple, auth.dkim or ())),
            tuple(map(astuple, auth.spf or ())),
            tuple(map(astuple, evaluated.reason or ())),
        )
        if not_known:
            _count(not_known, unknown)
        read.append(make((address(row.source_ip), row.count, *values)))
    return read


@lru_cache(maxsize=ALIKE)
def _results_alike(
    words: tuple[str, str, str], names: Texts, dkim: Sequence[Texts], spf: Sequence[Texts], reasons: Sequence[Texts]
) -> tuple[Sequence[Any], Unknown]:
    """Everything of a record but source and number, in the order of `DmarcRecord`; and what was not known."""
    unknown: dict[str, int] = {}
    disposition, *aligned = words
    values = (
        _disposition.read(disposition, unknown),
        *[_aligned.read(word, unknown) for word in aligned],
        *map(domain_or_text, names),
        [
            DkimResult(domain_or_text(of), key or "", _auth.read(got, unknown), said or "")
            for of, key, got, said in dkim
        ],
        [
            SpfResult(domain_or_text(of), _scope.read(scope, unknown), _auth.read(got, unknown), said or "")
            for of, scope, got, said in spf
        ],
        [Override(_override.read(reason, unknown), comment or "") for reason, comment in reasons],
    )
    return values, unknown


def _count(more: Unknown, unknown: dict[str, int]) -> None:
    for field, number in more.items():
        unknown[field] = unknown.get(field, 0) + number
