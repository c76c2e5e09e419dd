"""Requests for received reports to servers from v0.10 to v0.15."""

from __future__ import annotations

import asyncio
from datetime import datetime

from exporter.errors import PayloadError, TargetUnsupported
from exporter.model.incoming_reports import Incoming, ReportIds, UnreadableReport
from exporter.model.report_words import ReportKind
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.reports.listing import parse_report, parse_report_ids, received_at

LARGE_BYTES = 256 * 1024
"""Responses of at least this size are parsed on a thread."""


async def fetch_report_ids(transport: Transport, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
    """Fetch a page of the list; one request."""
    params: dict[str, str | int] = {"limit": limit, "page": page}
    body = await transport.request(Endpoint.REPORTS, path_args=(kind.value,), params=params)
    return parse_report_ids(body, page=page, limit=limit)


async def fetch_report(transport: Transport, kind: ReportKind, source_id: str, *, now: datetime) -> Incoming | None:
    """
    Fetch one report with one request; ``None`` if it no longer exists.

    A response that cannot be parsed is returned as an `UnreadableReport`.
    """
    try:
        body = await transport.request(Endpoint.REPORT, path_args=(kind.value, source_id))
    except TargetUnsupported:
        return None
    try:
        if len(body) < LARGE_BYTES:
            return parse_report(kind, source_id, body, now=now)
        return await asyncio.to_thread(parse_report, kind, source_id, body, now=now)
    except PayloadError as error:
        return UnreadableReport(
            kind=kind, source_id=source_id, received_at=received_at(source_id, now=now), raw=body, reason=str(error)
        )
