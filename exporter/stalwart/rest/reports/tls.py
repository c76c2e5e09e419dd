"""
SMTP TLS reports as the server sends them, which is nearly as RFC 8460 spells them.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/tls/{id}``; tests/recordings/rest-0.15.5.
"""

from __future__ import annotations

from msgspec import Struct, field

from exporter.errors import PayloadError
from exporter.model.report_words import TlsPolicyType, TlsResultType
from exporter.model.reports import MOST_COUNTED, TlsFailure, TlsPolicy, TlsReport
from exporter.stalwart.common.report_numbers import Count, Stamp
from exporter.stalwart.common.report_values import (
    Vocabulary,
    address,
    domain_or_text,
    policy_domains,
    reporter_name,
    utc,
)

_policy_type = Vocabulary("tls_policy", TlsPolicyType)
_result_type = Vocabulary("tls_failure", TlsResultType)


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
    """Sessions that failed alike."""

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
    """What we read of a report."""

    report_id: str
    date_range: _Range
    policies: list[Policy]
    organization_name: str | None = None
    contact_info: str | None = None


def read_tls(wire: Tls, sender: str | None, unknown: dict[str, int]) -> TlsReport:
    """The report in our terms; *sender* is the address that mailed it. Raises `PayloadError`."""
    sessions = sum(policy.summary.successes + policy.summary.failures for policy in wire.policies)
    failed = sum(detail.failed_session_count for policy in wire.policies for detail in policy.failure_details or ())
    if max(sessions, failed) > MOST_COUNTED:
        raise PayloadError("data.report.policies: the sum of sessions exceeds 2^53")
    told = [policy.policy.policy_domain for policy in wire.policies]
    domains = policy_domains(told, "data.report.policies[{}].policy.policy-domain")
    return TlsReport(
        reporter=reporter_name(wire.organization_name, wire.contact_info, sender),
        report_id=wire.report_id.strip(),
        begins_at=utc(wire.date_range.start_datetime, "data.report.date-range.start-datetime"),
        ends_at=utc(wire.date_range.end_datetime, "data.report.date-range.end-datetime"),
        policies=[_read_policy(policy, domain, unknown) for policy, domain in zip(wire.policies, domains, strict=True)],
        contact=wire.contact_info or "",
    )


def _read_policy(wire: Policy, domain: str, unknown: dict[str, int]) -> TlsPolicy:
    described = wire.policy
    return TlsPolicy(
        _policy_type.read(described.policy_type, unknown),
        domain,
        described.policy_string or (),
        [domain_or_text(host) for host in described.mx_host or ()],
        wire.summary.successes,
        wire.summary.failures,
        [_read_failure(detail, unknown) for detail in wire.failure_details or ()],
    )


def _read_failure(wire: PolicyFailure, unknown: dict[str, int]) -> TlsFailure:
    return TlsFailure(
        _result_type.read(wire.result_type, unknown),
        wire.failed_session_count,
        address(wire.sending_mta_ip),
        domain_or_text(wire.receiving_mx_hostname),
        wire.receiving_mx_helo or "",
        address(wire.receiving_ip),
        wire.additional_information or "",
        wire.failure_reason_code or "",
    )
