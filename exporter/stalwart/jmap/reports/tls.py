"""
Parsing of SMTP TLS reports.

Contract: Stalwart v0.16, ``report`` of ``x:TlsExternalReport``; tests/recordings/jmap-0.16.18. Policy strings and hosts
are sets, so their order is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from exporter.model.reports import TlsPolicy, TlsReport
from exporter.stalwart.common.report_numbers import Count, Stamp
from exporter.stalwart.common.report_values import domain_or_text, policy_domains, utc
from exporter.stalwart.common.tls_reports import build_tls_failures, build_tls_report, policy_types
from exporter.stalwart.jmap.protocol.wire import in_order


class _Failure(Struct, gc=False, rename="camel"):
    failed_session_count: Count
    result_type: str | None = None
    sending_mta_ip: str | None = None
    receiving_mx_hostname: str | None = None
    receiving_mx_helo: str | None = None
    receiving_ip: str | None = None
    additional_information: str | None = None
    failure_reason_code: str | None = None


class _Policy(Struct, gc=False, rename="camel"):
    total_successful_sessions: Count
    total_failed_sessions: Count
    policy_domain: str | None = None
    policy_type: str | None = None
    policy_strings: Mapping[str, bool] | None = None
    mx_hosts: Mapping[str, bool] | None = None
    failure_details: Mapping[str, _Failure] | None = None


class Tls(Struct, gc=False, rename="camel"):
    """The wire format of a report, as far as it is used."""

    report_id: str
    date_range_start: Stamp
    date_range_end: Stamp
    policies: Mapping[str, _Policy]
    organization_name: str | None = None
    contact_info: str | None = None


def parse_tls(wire: Tls, sender: str | None, unknown: dict[str, int]) -> TlsReport:
    """Convert to the model's report; *sender* is the address that sent it by mail. Raises `PayloadError`."""
    policies = in_order(wire.policies)
    domains = policy_domains([policy.policy_domain for policy in policies], "report.policies[{}].policyDomain")
    return build_tls_report(
        wire,
        sender,
        begins_at=utc(wire.date_range_start, "report.dateRangeStart"),
        ends_at=utc(wire.date_range_end, "report.dateRangeEnd"),
        policies=[_parse_policy(policy, domain, unknown) for policy, domain in zip(policies, domains, strict=True)],
        policies_path="report.policies",
    )


def _parse_policy(wire: _Policy, domain: str, unknown: dict[str, int]) -> TlsPolicy:
    return TlsPolicy(
        policy_types.read(wire.policy_type, unknown),
        domain,
        list(wire.policy_strings or ()),
        [domain_or_text(host) for host in wire.mx_hosts or ()],
        wire.total_successful_sessions,
        wire.total_failed_sessions,
        build_tls_failures(in_order(wire.failure_details or {}), unknown),
    )
