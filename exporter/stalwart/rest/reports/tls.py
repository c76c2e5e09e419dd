"""
Parsing of SMTP TLS reports; the format is nearly that of RFC 8460.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/tls/{id}``; tests/recordings/rest-0.15.5.
"""

from __future__ import annotations

from msgspec import Struct, field

from exporter.model.reports import TlsPolicy, TlsReport
from exporter.stalwart.common.report_numbers import Count, Stamp
from exporter.stalwart.common.report_values import domain_or_text, policy_domains, utc
from exporter.stalwart.common.tls_reports import build_tls_failures, build_tls_report, policy_types


class _Range(Struct, gc=False, rename="kebab"):
    start_datetime: Stamp
    end_datetime: Stamp


class _Described(Struct, gc=False, rename="kebab"):
    policy_domain: str | None = None
    policy_type: str | None = None
    policy_string: list[str] | None = None
    mx_host: list[str] | None = None


class _Summary(Struct, gc=False):
    successes: Count = field(name="total-successful-session-count")
    failures: Count = field(name="total-failure-session-count")


class PolicyFailure(Struct, gc=False, rename="kebab"):
    """Sessions that failed for the same reason."""

    failed_session_count: Count
    result_type: str | None = None
    sending_mta_ip: str | None = None
    receiving_mx_hostname: str | None = None
    receiving_mx_helo: str | None = None
    receiving_ip: str | None = None
    additional_information: str | None = None
    failure_reason_code: str | None = None


class Policy(Struct, gc=False, rename="kebab"):
    """Sessions under one policy."""

    policy: _Described
    summary: _Summary
    failure_details: list[PolicyFailure] | None = None


class Tls(Struct, gc=False, rename="kebab"):
    """The wire format of a report, as far as it is used."""

    report_id: str
    date_range: _Range
    policies: list[Policy]
    organization_name: str | None = None
    contact_info: str | None = None


def parse_tls(wire: Tls, sender: str | None, unknown: dict[str, int]) -> TlsReport:
    """Convert to the model's report; *sender* is the address that sent it by mail. Raises `PayloadError`."""
    written = [policy.policy.policy_domain for policy in wire.policies]
    domains = policy_domains(written, "data.report.policies[{}].policy.policy-domain")
    return build_tls_report(
        wire,
        sender,
        begins_at=utc(wire.date_range.start_datetime, "data.report.date-range.start-datetime"),
        ends_at=utc(wire.date_range.end_datetime, "data.report.date-range.end-datetime"),
        policies=[
            _parse_policy(policy, domain, unknown) for policy, domain in zip(wire.policies, domains, strict=True)
        ],
        policies_path="data.report.policies",
    )


def _parse_policy(wire: Policy, domain: str, unknown: dict[str, int]) -> TlsPolicy:
    described = wire.policy
    return TlsPolicy(
        policy_types.read(described.policy_type, unknown),
        domain,
        described.policy_string or (),
        [domain_or_text(host) for host in described.mx_host or ()],
        wire.summary.successes,
        wire.summary.failures,
        build_tls_failures(wire.failure_details or (), unknown),
    )
