"""
Parsing of DMARC aggregate reports.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/dmarc/{id}``; tests/recordings/rest-0.15.5. The
additions of RFC 9990 (``np``, the discovery method, the generator) are optional, and so is ``pct``, which it drops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from exporter.errors import PayloadError
from exporter.model.reports import (
    MAX_COUNTED,
    DmarcPolicy,
    DmarcRecord,
    DmarcReport,
    DmarcResults,
    Override,
)
from exporter.stalwart.common.dmarc_reports import (
    aligned_results,
    alignment_modes,
    build_dkim_result,
    build_spf_result,
    discovery_methods,
    dispositions,
    override_reasons,
    policies,
)
from exporter.stalwart.common.report_values import (
    address,
    domain_or_text,
    moment,
    reporter_name,
    required_domain,
)
from exporter.stalwart.rest.reports.dmarc_wire import (
    NO_IDENTIFIERS,
    NO_RESULTS,
    PartlyRead,
    PartOfRecord,
    published_decoder,
    results_decoder,
)

ALIKE = 1024
"""The most kinds of results and of policies that are cached; many reports are about the same few senders."""

ALIKE_BYTES = 1024
"""The largest that is cached; larger ones contain texts that rarely repeat."""


def parse_dmarc(wire: PartlyRead, sender: str | None, unknown: dict[str, int]) -> DmarcReport:
    """
    Convert to the model's report; *sender* is the address that sent it by mail.

    Raises `PayloadError`, and msgspec's exceptions for an invalid part, without its path.
    """
    metadata, published = wire.report_metadata, bytes(wire.policy_published)
    if sum([record.row.count for record in wire.record]) > MAX_COUNTED:
        raise PayloadError("data.report.record: the sum of messages exceeds 2^53")
    policy, not_known = (_policy_alike if len(published) <= ALIKE_BYTES else _parse_policy)(published)
    _count(not_known, unknown)
    return DmarcReport(
        reporter=reporter_name(metadata.org_name, metadata.email, sender),
        report_id=metadata.report_id.strip(),
        begins_at=moment(metadata.date_range.begin),
        ends_at=moment(metadata.date_range.end),
        policy=policy,
        records=_parse_records(wire.record, unknown),
        email=metadata.email or "",
        extra_contact=metadata.extra_contact_info or "",
        errors=metadata.error or (),
        generator=metadata.generator or "",
    )


Unknown = Mapping[str, int]


def _parse_policy(published: bytes) -> tuple[DmarcPolicy, Unknown]:
    of = published_decoder.decode(published)
    unknown: dict[str, int] = {}
    policy = DmarcPolicy(
        domain=required_domain(of.domain, "data.report.policy_published.domain"),
        policy=policies.read(of.p, unknown),
        subdomain_policy=policies.read(of.sp, unknown),
        nonexistent_policy=policies.read(of.np, unknown),
        dkim_alignment=alignment_modes.read(of.adkim, unknown),
        spf_alignment=alignment_modes.read(of.aspf, unknown),
        percent=of.pct if type(of.pct) is int and 0 <= of.pct <= 100 else None,
        testing=bool(of.testing),
        failure_options=of.fo or "",
        discovery_method=discovery_methods.read(of.discovery_method, unknown),
    )
    return policy, unknown


_policy_alike = lru_cache(maxsize=ALIKE)(_parse_policy)


def _parse_records(records: Sequence[PartOfRecord], unknown: dict[str, int]) -> Sequence[DmarcRecord]:
    read = []
    for record in records:
        row = record.row
        parts = b",".join((row.policy_evaluated, record.identifiers, record.auth_results))
        results, not_known = (_results_alike if len(parts) <= ALIKE_BYTES else _parse_results)(parts)
        if not_known:
            _count(not_known, unknown)
        read.append(DmarcRecord(address(row.source_ip), row.count, results))
    return read


def _parse_results(parts: bytes) -> tuple[DmarcResults, Unknown]:
    """Parse the results of a record from *parts*, its members; also return its unknown words."""
    of, identifiers, auth_results = results_decoder.decode(b"[%b]" % parts)
    named, auth = identifiers or NO_IDENTIFIERS, auth_results or NO_RESULTS
    unknown: dict[str, int] = {}
    results = DmarcResults(
        dispositions.read(of.disposition, unknown),
        aligned_results.read(of.dkim, unknown),
        aligned_results.read(of.spf, unknown),
        domain_or_text(named.header_from),
        domain_or_text(named.envelope_from),
        domain_or_text(named.envelope_to),
        dkim_results=tuple(build_dkim_result(result, unknown) for result in auth.dkim or ()),
        spf_results=tuple(build_spf_result(result, unknown) for result in auth.spf or ()),
        overrides=tuple(Override(override_reasons.read(r.type_, unknown), r.comment or "") for r in of.reason or ()),
    )
    return results, unknown


_results_alike = lru_cache(maxsize=ALIKE)(_parse_results)


def _count(more: Unknown, unknown: dict[str, int]) -> None:
    for field, number in more.items():
        unknown[field] = unknown.get(field, 0) + number
