"""
Parsing of feedback reports.

Contract: Stalwart v0.16, ``report`` of ``x:ArfExternalReport``; tests/recordings/jmap-0.16.18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from exporter.model.reports import ArfReport
from exporter.stalwart.common.arf_reports import build_arf_report
from exporter.stalwart.common.report_numbers import Count, Stamp
from exporter.stalwart.common.report_values import utc


class Arf(Struct, gc=False, rename="camel"):
    """The wire format of a report, as far as it is used."""

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


def parse_arf(wire: Arf, sender: str | None, source_id: str, unknown: dict[str, int]) -> ArfReport:
    """Convert to the model's report; *sender* is the address that sent it by mail. Raises `PayloadError`."""
    return build_arf_report(
        wire,
        sender,
        source_id,
        unknown,
        arrived_at=None if wire.arrival_date is None else utc(wire.arrival_date, "report.arrivalDate"),
        domains=wire.reported_domains or (),
        uris=wire.reported_uris or (),
        authentication_results=wire.authentication_results or (),
    )
