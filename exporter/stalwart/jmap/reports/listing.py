"""
Requests for received reports, and their parsing.

Contract: Stalwart v0.16, ``x:DmarcExternalReport``, ``x:TlsExternalReport`` and ``x:ArfExternalReport``;
tests/recordings/jmap-0.16.18. Ids grow with time. Paging by ``position`` is correct only with ``calculateTotal``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from exporter.errors import PayloadError, TargetServerError, TargetUnsupported
from exporter.model.incoming_reports import Incoming, IncomingReport, ReportIds, UnreadableReport
from exporter.model.report_words import ReportKind
from exporter.model.reports import Report
from exporter.stalwart.common.report_ids import lasting_id
from exporter.stalwart.common.report_numbers import Stamp
from exporter.stalwart.common.report_values import utc
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.paging import found_decoder
from exporter.stalwart.jmap.protocol.wire import Call
from exporter.stalwart.jmap.reports.arf import Arf, parse_arf
from exporter.stalwart.jmap.reports.dmarc import Dmarc, parse_dmarc
from exporter.stalwart.jmap.reports.tls import Tls, parse_tls

LARGE_BYTES = 256 * 1024
"""Reports of at least this total size are parsed on a thread."""

REPORTS_AT_ONCE = 50
"""Typically a few hundred kilobytes, and a few milliseconds to parse and store."""

_OBJECTS = {
    ReportKind.DMARC: "DmarcExternalReport",
    ReportKind.TLS: "TlsExternalReport",
    ReportKind.ARF: "ArfExternalReport",
}
_ID = re.compile(r"[a-z0-9]{1,13}")


class _Found(Struct, rename="camel"):
    items: list[msgspec.Raw] = msgspec.field(name="list")
    not_found: list[str] = []


class _Known(Struct):
    id: str


class _Received(Struct, rename="camel"):
    received_at: Stamp


class _DmarcMail(Struct, rename="camel"):
    report: Dmarc
    sender: str | None = msgspec.field(name="from", default=None)


class _TlsMail(Struct, rename="camel"):
    report: Tls
    sender: str | None = msgspec.field(name="from", default=None)


class _ArfMail(Struct, rename="camel"):
    report: Arf
    sender: str | None = msgspec.field(name="from", default=None)


_found = msgspec.json.Decoder(_Found)
_known = msgspec.json.Decoder(_Known)
_received = msgspec.json.Decoder(_Received)
_dmarc = msgspec.json.Decoder(_DmarcMail)
_tls = msgspec.json.Decoder(_TlsMail)
_arf = msgspec.json.Decoder(_ArfMail)


async def fetch_report_ids(api: JmapApi, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
    """Fetch a page of the list, newest first; one request."""
    arguments = {
        "sort": [{"property": "id", "isAscending": False}],
        "position": (page - 1) * limit,
        "limit": limit,
        "calculateTotal": True,
    }
    query = Call("q", f"x:{_OBJECTS[kind]}/query", arguments)
    found = (await api.ask([query])).result(query, found_decoder)
    for number, id_ in enumerate(found.ids):
        if _ID.fullmatch(id_) is None:
            raise PayloadError(f"{query.method}.ids[{number}]: not an id")
    to_the_end = found.total is not None and page * limit >= found.total
    return ReportIds(
        ids=found.ids, last=not found.ids or len(found.ids) < min(limit, found.limit or limit) or to_the_end
    )


async def fetch_reports(
    api: JmapApi, kind: ReportKind, source_ids: Sequence[str], *, now: datetime
) -> Sequence[Incoming]:
    """
    Fetch the reports that still exist, in that order; one request.

    One that cannot be parsed is returned as an `UnreadableReport`. Raises `PayloadError` if the response accounts for
    too few or too many reports.
    """
    get = Call("g", f"x:{_OBJECTS[kind]}/get", {"ids": list(source_ids)})
    try:
        answers = await api.ask([get])
    except TargetUnsupported as error:
        # The server has changed; this does not mean that the reports are gone.
        raise TargetServerError(str(error)) from error
    found = answers.result(get, _found)
    raws = {decode_response(_known, item).id: bytes(item) for item in found.items}
    if not raws.keys() <= set(source_ids) or not raws.keys() | set(found.not_found) >= set(source_ids):
        raise PayloadError(f"{get.method}: not the requested reports")
    in_order = [(source_id, raws[source_id]) for source_id in source_ids if source_id in raws]
    if sum(map(len, raws.values())) < LARGE_BYTES:
        return _parse_all(kind, in_order, now)
    return await asyncio.to_thread(_parse_all, kind, in_order, now)


def _parse_all(kind: ReportKind, raws: Sequence[tuple[str, bytes]], now: datetime) -> list[Incoming]:
    return [_read(kind, source_id, raw, now) for source_id, raw in raws]


def _read(kind: ReportKind, source_id: str, raw: bytes, now: datetime) -> Incoming:
    try:
        return parse_report(kind, source_id, raw)
    except PayloadError as error:
        received_at = _received_at(raw, now)
        return UnreadableReport(kind=kind, source_id=source_id, received_at=received_at, raw=raw, reason=str(error))


def parse_report(kind: ReportKind, source_id: str, raw: bytes) -> IncomingReport:
    """Parse one report. Raises `PayloadError` with the path of an invalid or impossible value."""
    unknown: dict[str, int] = {}
    content: Report
    if kind is ReportKind.DMARC:
        dmarc = decode_response(_dmarc, raw)
        content = parse_dmarc(dmarc.report, dmarc.sender, unknown)
    elif kind is ReportKind.TLS:
        tls = decode_response(_tls, raw)
        content = parse_tls(tls.report, tls.sender, unknown)
    else:
        arf = decode_response(_arf, raw)
        content = parse_arf(arf.report, arf.sender, lasting_id(source_id), unknown)
    received_at = utc(decode_response(_received, raw).received_at, "receivedAt")
    return IncomingReport(
        kind=kind, source_id=source_id, received_at=received_at, raw=raw, content=content, unknown=unknown
    )


def _received_at(raw: bytes, now: datetime) -> datetime:
    try:
        return utc(decode_response(_received, raw).received_at, "receivedAt")
    except PayloadError:
        return now
