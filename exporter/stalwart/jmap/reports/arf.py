"""
Feedback reports as the server sends them.

Contract: Stalwart v0.16, ``report`` of ``x:ArfExternalReport``; tests/recordings/jmap-0.16.18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from exporter.model.report_words import AuthFailure, DeliveryResult, FeedbackType, IdentityAlignment
from exporter.model.reports import ArfReport
from exporter.stalwart.common.report_numbers import Count, Stamp
from exporter.stalwart.common.report_values import Vocabulary, address, domain_or_text, reporter_name, utc

_feedback = Vocabulary("arf_feedback_type", FeedbackType)
_auth_failure = Vocabulary("arf_auth_failure", AuthFailure)
_delivery = Vocabulary("arf_delivery_result", DeliveryResult)
_alignment = Vocabulary("arf_identity_alignment", IdentityAlignment)

_LAST_PORT = 65535


class Arf(Struct, gc=False, rename="camel"):
    """What we read of a report."""

    feedback_type: str
    incidents: Count | None = None
    arrival_date: Stamp | None = None
    authentication_results: Mapping[str, bool] | None = None
    original_envelope_id: str | None = None
    original_mail_from: str | None = None
    original_rcpt_to: str | None = None
    reported_domains: Mapping[str, bool] | None = None
    reported_uris: Mapping[str, bool] | None = None
    reporting_mta: str | None = None
    source_ip: str | None = None
    source_port: Any = None
    user_agent: str | None = None
    auth_failure: str | None = None
    delivery_result: str | None = None
    identity_alignment: str | None = None
    dkim_domain: str | None = None
    dkim_identity: str | None = None
    dkim_selector: str | None = None
    dkim_selector_dns: str | None = None
    dkim_adsp_dns: str | None = None
    spf_dns: str | None = None


def read_arf(wire: Arf, sender: str | None, source_id: str, unknown: dict[str, int]) -> ArfReport:
    """The report in our terms; *sender* is the address that mailed it. Raises `PayloadError`."""
    port = wire.source_port
    return ArfReport(
        reporter=reporter_name(domain_or_text((wire.reporting_mta or "").rpartition(";")[2]), sender),
        source_id=source_id,
        feedback_type=_feedback.read(wire.feedback_type, unknown),
        incidents=1 if wire.incidents is None else wire.incidents,
        arrived_at=None if wire.arrival_date is None else utc(wire.arrival_date, "report.arrivalDate"),
        user_agent=wire.user_agent or "",
        source_ip=address(wire.source_ip),
        source_port=port if type(port) is int and 0 <= port <= _LAST_PORT else 0,
        reporting_mta=wire.reporting_mta or "",
        envelope_id=wire.original_envelope_id or "",
        mail_from=wire.original_mail_from or "",
        rcpt_to=wire.original_rcpt_to or "",
        domains=[domain_or_text(domain) for domain in wire.reported_domains or ()],
        uris=list(wire.reported_uris or ()),
        authentication_results=list(wire.authentication_results or ()),
        auth_failure=_auth_failure.read(wire.auth_failure, unknown),
        delivery_result=_delivery.read(wire.delivery_result, unknown),
        identity_alignment=_alignment.read(wire.identity_alignment, unknown),
        dkim_domain=domain_or_text(wire.dkim_domain),
        dkim_identity=wire.dkim_identity or "",
        dkim_selector=wire.dkim_selector or "",
        dkim_selector_dns=wire.dkim_selector_dns or "",
        dkim_adsp_dns=wire.dkim_adsp_dns or "",
        spf_dns=wire.spf_dns or "",
    )
