"""Construction of SMTP TLS reports (RFC 8460) for both generations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from exporter.errors import PayloadError
from exporter.model.report_words import TlsPolicyType, TlsResultType
from exporter.model.reports import MAX_COUNTED, TlsFailure, TlsPolicy, TlsReport
from exporter.stalwart.common.report_values import Vocabulary, address, domain_or_text, reporter_name

policy_types = Vocabulary("tls_policy", TlsPolicyType)
_result_types = Vocabulary("tls_failure", TlsResultType)


class FailureFields(Protocol):
    """The decoded details of one kind of failure; the generations differ only in the members' names."""

    failed_session_count: int
    result_type: str | None
    sending_mta_ip: str | None
    receiving_mx_hostname: str | None
    receiving_mx_helo: str | None
    receiving_ip: str | None
    additional_information: str | None
    failure_reason_code: str | None


class ReportFields(Protocol):
    """The members of a report that are the same in both generations."""

    report_id: str
    organization_name: str | None
    contact_info: str | None


def build_tls_report(
    fields: ReportFields,
    sender: str | None,
    *,
    begins_at: datetime,
    ends_at: datetime,
    policies: Sequence[TlsPolicy],
    policies_path: str,
) -> TlsReport:
    """Build the model's report; *sender* is the address that sent it by mail. Raises `PayloadError`."""
    sessions = sum(policy.successes + policy.failures for policy in policies)
    failed = sum(failure.sessions for policy in policies for failure in policy.details)
    if max(sessions, failed) > MAX_COUNTED:
        raise PayloadError(f"{policies_path}: the sum of sessions exceeds 2^53")
    return TlsReport(
        reporter=reporter_name(fields.organization_name, fields.contact_info, sender),
        report_id=fields.report_id.strip(),
        begins_at=begins_at,
        ends_at=ends_at,
        policies=policies,
        contact=fields.contact_info or "",
    )


def build_tls_failures(failures: Iterable[FailureFields], unknown: dict[str, int]) -> list[TlsFailure]:
    """Build the model's failures under one policy; unknown words are counted in *unknown*."""
    return [
        TlsFailure(
            _result_types.read(fields.result_type, unknown),
            fields.failed_session_count,
            address(fields.sending_mta_ip),
            domain_or_text(fields.receiving_mx_hostname),
            fields.receiving_mx_helo or "",
            address(fields.receiving_ip),
            fields.additional_information or "",
            fields.failure_reason_code or "",
        )
        for fields in failures
    ]
