"""
SMTP TLS reports as the server sends them.

Contract: Stalwart v0.16, ``report`` of ``x:TlsExternalReport``; tests/recordings/jmap-0.16.18. Policy strings and hosts
are sets there, whose order is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

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
from exporter.stalwart.jmap.wire import in_order

_policy_type = Vocabulary("tls_policy", TlsPolicyType)
_result_type = Vocabulary("tls_failure", TlsResultType)


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
    """What we read of a report."""

    report_id: str
    date_range_start: Stamp
    date_range_end: Stamp
    policies: Mapping[str, _Policy]
    organization_name: str | None = None
    contact_info: str | None = None


def read_tls(wire: Tls, sender: str | None, unknown: dict[str, int]) -> TlsReport:
    """The report in our terms; *sender* is the address that mailed it. Raises `PayloadError`."""
    told = in_order(wire.policies)
    domains = policy_domains([policy.policy_domain for policy in told], "report.policies[{}].policyDomain")
    policies = [_read_policy(policy, domain, unknown) for policy, domain in zip(told, domains, strict=True)]
    sessions = sum(policy.successes + policy.failures for policy in policies)
    failed = sum(failure.sessions for policy in policies for failure in policy.details)
    if max(sessions, failed) > MOST_COUNTED:
        raise PayloadError("report.policies: the sum of sessions exceeds 2^53")
    return TlsReport(
        reporter=reporter_name(wire.organization_name, wire.contact_info, sender),
        report_id=wire.report_id.strip(),
        begins_at=utc(wire.date_range_start, "report.dateRangeStart"),
        ends_at=utc(wire.date_range_end, "report.dateRangeEnd"),
        policies=policies,
        contact=wire.contact_info or "",
    )


def _read_policy(wire: _Policy, domain: str, unknown: dict[str, int]) -> TlsPolicy:
    return TlsPolicy(
        _policy_type.read(wire.policy_type, unknown),
        domain,
        list(wire.policy_strings or ()),
        [domain_or_text(host) for host in wire.mx_hosts or ()],
        wire.total_successful_sessions,
        wire.total_failed_sessions,
        [_read_failure(failure, unknown) for failure in in_order(wire.failure_details or {})],
    )


def _read_failure(wire: _Failure, unknown: dict[str, int]) -> TlsFailure:
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
