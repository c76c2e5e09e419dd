"""
Parsing of DMARC aggregate reports.

Contract: Stalwart v0.16, ``report`` of ``x:DmarcExternalReport``; tests/recordings/jmap-0.16.18. The policy for
nonexistent names, the discovery method and the generator exist from v0.16.12 on. The reporter's errors and the options
of failure reports are sets, so their order is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

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
from exporter.stalwart.common.report_numbers import Count, Stamp
from exporter.stalwart.common.report_values import (
    address,
    domain_or_text,
    reporter_name,
    required_domain,
    utc,
)
from exporter.stalwart.jmap.protocol.wire import in_order

_FAILURE_OPTIONS = {"all": "0", "any": "1", "dkimFailure": "d", "spfFailure": "s"}


class _Reason(Struct, gc=False, rename="camel"):
    override_type: str | None = None
    comment: str | None = None


class _Dkim(Struct, gc=False, rename="camel"):
    domain: str | None = None
    selector: str | None = None
    result: str | None = None
    human_result: str | None = None


class _Spf(Struct, gc=False, rename="camel"):
    domain: str | None = None
    scope: str | None = None
    result: str | None = None
    human_result: str | None = None


class _Record(Struct, gc=False, rename="camel"):
    count: Count
    evaluated_disposition: str
    evaluated_dkim: str
    evaluated_spf: str
    source_ip: str | None = None
    header_from: str | None = None
    envelope_from: str | None = None
    envelope_to: str | None = None
    policy_override_reasons: Mapping[str, _Reason] | None = None
    dkim_results: Mapping[str, _Dkim] | None = None
    spf_results: Mapping[str, _Spf] | None = None


class Dmarc(Struct, gc=False, rename="camel"):
    """The wire format of a report, as far as it is used."""

    report_id: str
    date_range_begin: Stamp
    date_range_end: Stamp
    policy_domain: str
    records: Mapping[str, _Record]
    org_name: str | None = None
    email: str | None = None
    extra_contact_info: str | None = None
    errors: Mapping[str, bool] | None = None
    generator: str | None = None
    policy_adkim: str | None = None
    policy_aspf: str | None = None
    policy_disposition: str | None = None
    policy_subdomain_disposition: str | None = None
    policy_np: str | None = None
    policy_testing_mode: bool | None = None
    policy_discovery_method: str | None = None
    policy_failure_reporting_options: Mapping[str, bool] | None = None


def parse_dmarc(wire: Dmarc, sender: str | None, unknown: dict[str, int]) -> DmarcReport:
    """Convert to the model's report; *sender* is the address that sent it by mail. Raises `PayloadError`."""
    report = DmarcReport(
        reporter=reporter_name(wire.org_name, wire.email, sender),
        report_id=wire.report_id.strip(),
        begins_at=utc(wire.date_range_begin, "report.dateRangeBegin"),
        ends_at=utc(wire.date_range_end, "report.dateRangeEnd"),
        policy=_parse_policy(wire, unknown),
        records=[_parse_record(record, unknown) for record in in_order(wire.records)],
        email=wire.email or "",
        extra_contact=wire.extra_contact_info or "",
        errors=sorted(wire.errors or ()),
        generator=wire.generator or "",
    )
    if sum(report.messages()) > MAX_COUNTED:
        raise PayloadError("report.records: the sum of messages exceeds 2^53")
    return report


def _parse_policy(wire: Dmarc, unknown: dict[str, int]) -> DmarcPolicy:
    options = wire.policy_failure_reporting_options or {}
    return DmarcPolicy(
        domain=required_domain(wire.policy_domain, "report.policyDomain"),
        policy=policies.read(wire.policy_disposition, unknown),
        subdomain_policy=policies.read(wire.policy_subdomain_disposition, unknown),
        nonexistent_policy=policies.read(wire.policy_np, unknown),
        dkim_alignment=alignment_modes.read(wire.policy_adkim, unknown),
        spf_alignment=alignment_modes.read(wire.policy_aspf, unknown),
        testing=bool(wire.policy_testing_mode),
        failure_options=":".join(letter for name, letter in _FAILURE_OPTIONS.items() if options.get(name)),
        discovery_method=discovery_methods.read(wire.policy_discovery_method, unknown),
    )


def _parse_record(wire: _Record, unknown: dict[str, int]) -> DmarcRecord:
    results = DmarcResults(
        dispositions.read(wire.evaluated_disposition, unknown),
        aligned_results.read(wire.evaluated_dkim, unknown),
        aligned_results.read(wire.evaluated_spf, unknown),
        domain_or_text(wire.header_from),
        domain_or_text(wire.envelope_from),
        domain_or_text(wire.envelope_to),
        tuple(build_dkim_result(result, unknown) for result in in_order(wire.dkim_results or {})),
        tuple(build_spf_result(result, unknown) for result in in_order(wire.spf_results or {})),
        tuple(_parse_override(reason, unknown) for reason in in_order(wire.policy_override_reasons or {})),
    )
    return DmarcRecord(address(wire.source_ip), wire.count, results)


def _parse_override(wire: _Reason, unknown: dict[str, int]) -> Override:
    return Override(override_reasons.read(wire.override_type, unknown), wire.comment or "")
