"""
Parsing of feedback reports.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/arf/{id}``; tests/recordings/rest-0.15.5.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from exporter.model.reports import ArfReport
from exporter.stalwart.common.arf_reports import build_arf_report
from exporter.stalwart.common.report_numbers import Count, Seconds
from exporter.stalwart.common.report_values import moment


class Arf(Struct, gc=False):
    """The wire format of a report, as far as it is used."""

    feedback_type: str
    incidents: Count | None = None
    arrival_date: Seconds | None = None
    authentication_results: list[str] | None = None
    original_envelope_id: str | None = None
    original_mail_from: str | None = None
    original_rcpt_to: str | None = None
    reported_domain: list[str] | None = None
    reported_uri: list[str] | None = None
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


def parse_arf(wire: Arf, sender: str | None, source_id: str, unknown: dict[str, int]) -> ArfReport:
    """Convert to the model's report; *sender* is the address that sent it by mail."""
    return build_arf_report(
        wire,
        sender,
        source_id,
        unknown,
        arrived_at=None if wire.arrival_date is None else moment(wire.arrival_date),
        domains=wire.reported_domain or (),
        uris=wire.reported_uri or (),
        authentication_results=wire.authentication_results or (),
    )
