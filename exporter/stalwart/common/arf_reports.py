"""Construction of feedback reports (RFC 5965) for both generations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from exporter.model.report_words import AuthFailure, DeliveryResult, FeedbackType, IdentityAlignment
from exporter.model.reports import ArfReport
from exporter.stalwart.common.report_values import Vocabulary, address, domain_or_text, reporter_name

_feedback_types = Vocabulary("arf_feedback_type", FeedbackType)
_auth_failures = Vocabulary("arf_auth_failure", AuthFailure)
_delivery_results = Vocabulary("arf_delivery_result", DeliveryResult)
_alignments = Vocabulary("arf_identity_alignment", IdentityAlignment, {"spfdkim": IdentityAlignment.DKIM_SPF})

_LAST_PORT = 65535


class ArfFields(Protocol):
    """The decoded members of a report that are the same in both generations; the port is not yet validated."""

    feedback_type: str
    incidents: int | None
    original_envelope_id: str | None
    original_mail_from: str | None
    original_rcpt_to: str | None
    reporting_mta: str | None
    source_ip: str | None
    source_port: Any
    user_agent: str | None
    auth_failure: str | None
    delivery_result: str | None
    identity_alignment: str | None
    dkim_domain: str | None
    dkim_identity: str | None
    dkim_selector: str | None
    dkim_selector_dns: str | None
    dkim_adsp_dns: str | None
    spf_dns: str | None


def build_arf_report(
    fields: ArfFields,
    sender: str | None,
    source_id: str,
    unknown: dict[str, int],
    *,
    arrived_at: datetime | None,
    domains: Iterable[str],
    uris: Iterable[str],
    authentication_results: Iterable[str],
) -> ArfReport:
    """Build the model's report; *sender* is the address that sent it by mail."""
    port = fields.source_port
    return ArfReport(
        reporter=reporter_name(_host(fields.reporting_mta), sender),
        source_id=source_id,
        feedback_type=_feedback_types.read(fields.feedback_type, unknown),
        incidents=1 if fields.incidents is None else fields.incidents,
        arrived_at=arrived_at,
        user_agent=fields.user_agent or "",
        source_ip=address(fields.source_ip),
        source_port=port if type(port) is int and 0 <= port <= _LAST_PORT else 0,
        reporting_mta=fields.reporting_mta or "",
        envelope_id=fields.original_envelope_id or "",
        mail_from=fields.original_mail_from or "",
        rcpt_to=fields.original_rcpt_to or "",
        domains=[domain_or_text(domain) for domain in domains],
        uris=list(uris),
        authentication_results=list(authentication_results),
        auth_failure=_auth_failures.read(fields.auth_failure, unknown),
        delivery_result=_delivery_results.read(fields.delivery_result, unknown),
        identity_alignment=_alignments.read(fields.identity_alignment, unknown),
        dkim_domain=domain_or_text(fields.dkim_domain),
        dkim_identity=fields.dkim_identity or "",
        dkim_selector=fields.dkim_selector or "",
        dkim_selector_dns=fields.dkim_selector_dns or "",
        dkim_adsp_dns=fields.dkim_adsp_dns or "",
        spf_dns=fields.spf_dns or "",
    )


def _host(reporting_mta: str | None) -> str:
    """Return ``mx.example.net`` from ``dns; mx.example.net``."""
    return domain_or_text((reporting_mta or "").rpartition(";")[2])
