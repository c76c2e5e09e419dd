"""
Parsing of lists of received reports, and of the reports.

Contract: Stalwart v0.10-v0.15, ``GET /api/reports/{kind}`` and ``GET /api/reports/{kind}/{id}``;
tests/recordings/rest-0.12.5 and tests/recordings/rest-0.15.5. The format is the same in all these versions.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from exporter.errors import PayloadError
from exporter.model.incoming_reports import IncomingReport, ReportIds
from exporter.model.report_words import ReportKind
from exporter.model.reports import DmarcReport, Report
from exporter.stalwart.common.report_ids import lasting_id
from exporter.stalwart.events.snowflakes import second_of
from exporter.stalwart.http.responses import decode_response, decoding_problem
from exporter.stalwart.rest.reports.arf import Arf, parse_arf
from exporter.stalwart.rest.reports.dmarc import parse_dmarc
from exporter.stalwart.rest.reports.dmarc_wire import Dmarc, PartlyRead, Record
from exporter.stalwart.rest.reports.tls import Policy, PolicyFailure, Tls, parse_tls

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_SNOWFLAKE_DIGITS = 20

_OLDEST_SECONDS = 366 * 86400
_NEWEST_SECONDS = 86400


class _List(Struct):
    items: list[str]
    total: int | None = None


class _ListAnswer(Struct):
    data: _List


D = TypeVar("D")


class _DmarcMail(Struct, Generic[D]):
    report: D
    sender: str | None = msgspec.field(name="from", default=None)


class _TlsMail(Struct):
    report: Tls
    sender: str | None = msgspec.field(name="from", default=None)


class _ArfMail(Struct):
    report: Arf
    sender: str | None = msgspec.field(name="from", default=None)


class _DmarcAnswer(Struct, Generic[D]):
    data: _DmarcMail[D]


class _TlsAnswer(Struct):
    data: _TlsMail


class _ArfAnswer(Struct):
    data: _ArfMail


_list = msgspec.json.Decoder(_ListAnswer)
_dmarc = msgspec.json.Decoder(_DmarcAnswer[Dmarc])
_dmarc_in_part = msgspec.json.Decoder(_DmarcAnswer[PartlyRead])
_tls = msgspec.json.Decoder(_TlsAnswer)
_arf = msgspec.json.Decoder(_ArfAnswer)

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_MEMBERS: dict[type, tuple[tuple[str, type], ...]] = {
    _DmarcAnswer[Dmarc]: (("data", _DmarcMail[Dmarc]),),
    _DmarcMail[Dmarc]: (("report", Dmarc),),
    Dmarc: (("record", Record),),
    _TlsAnswer: (("data", _TlsMail),),
    _TlsMail: (("report", Tls),),
    Tls: (("policies", Policy),),
    Policy: (("failure-details", PolicyFailure),),
}
"""The paths of lists; the decoder does not report an index in them."""


def parse_report_ids(body: bytes, *, page: int, limit: int) -> ReportIds:
    """Parse a page of the list, newest first. Raises `PayloadError`."""
    data = decode_response(_list, body).data
    for number, id_ in enumerate(data.items):
        if _ID.fullmatch(id_) is None:
            raise PayloadError(f"data.items[{number}]: not a report id")
    seen_to_the_end = data.total is not None and page * limit >= data.total
    return ReportIds(ids=data.items, last=len(data.items) < limit or seen_to_the_end)


def parse_report(kind: ReportKind, source_id: str, body: bytes, *, now: datetime) -> IncomingReport:
    """Parse one report. Raises `PayloadError` with the path of an invalid or impossible value."""
    unknown: dict[str, int] = {}
    content: Report
    if kind is ReportKind.DMARC:
        content = _parse_dmarc(body, unknown)
    elif kind is ReportKind.TLS:
        tls = _decoded(_tls, body, _TlsAnswer).data
        content = parse_tls(tls.report, tls.sender, unknown)
    else:
        arf = _decoded(_arf, body, _ArfAnswer).data
        content = parse_arf(arf.report, arf.sender, lasting_id(source_id), unknown)
    return IncomingReport(
        kind=kind,
        source_id=source_id,
        received_at=received_at(source_id, now=now),
        raw=body,
        content=content,
        unknown=unknown,
    )


def _parse_dmarc(body: bytes, unknown: dict[str, int]) -> DmarcReport:
    try:
        mail = _dmarc_in_part.decode(body).data
        return parse_dmarc(mail.report, mail.sender, unknown)
    except UNREADABLE as error:
        _decoded(_dmarc, body, _DmarcAnswer[Dmarc])  # Raises with the path.
        raise PayloadError(decoding_problem(error)) from error


def received_at(source_id: str, *, now: datetime) -> datetime:
    """
    Return when the server received a report, from the time in its id, a snowflake.

    Returns *now* for an id without a time in the last year.
    """
    number = source_id.partition("_")[0]
    if not (number.isascii() and number.isdigit() and len(number) <= _SNOWFLAKE_DIGITS):
        return now
    seconds = second_of(int(number))
    if not -_OLDEST_SECONDS < seconds - now.timestamp() < _NEWEST_SECONDS:
        return now
    return datetime.fromtimestamp(seconds, UTC)


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes, kind: type) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if "[...]" in str(error):
            _explain(decode_response(msgspec.json.Decoder(), body), kind, "")
        raise PayloadError(decoding_problem(error)) from error
    except UNREADABLE as error:
        raise PayloadError(decoding_problem(error)) from error


def _explain(value: object, kind: type, path: str) -> None:
    """Raise `PayloadError` for the innermost member of *value* that does not match *kind*."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        members = value if isinstance(value, dict) else {}
        for name, inner in _MEMBERS.get(kind, ()):
            member = members.get(name)
            if isinstance(member, list):
                for index, item in enumerate(member):
                    _explain(item, inner, f"{path}.{name}[{index}]")
            elif member is not None:
                _explain(member, inner, f"{path}.{name}")
        raise PayloadError(decoding_problem(error, path)) from error
