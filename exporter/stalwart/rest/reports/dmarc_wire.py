"""
The wire format of a DMARC aggregate report.

Contract: Stalwart v0.10-v0.15, ``report`` of ``GET /api/reports/dmarc/{id}``; tests/recordings/rest-0.15.5.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from msgspec import Raw, Struct
from msgspec.json import Decoder

from exporter.stalwart.common.report_numbers import Count, Seconds


class _Range(Struct, gc=False):
    begin: Seconds
    end: Seconds


class _Metadata(Struct, gc=False):
    report_id: str
    date_range: _Range
    org_name: str | None = None
    email: str | None = None
    extra_contact_info: str | None = None
    error: list[str] | None = None
    generator: str | None = None


class _Published(Struct, gc=False):
    domain: str
    p: str | None = None
    sp: str | None = None
    np: str | None = None
    adkim: str | None = None
    aspf: str | None = None
    pct: Any = None
    testing: bool | None = None
    fo: str | None = None
    discovery_method: str | None = None


class _Reason(Struct, gc=False):
    type_: str | None = None
    comment: str | None = None


class _Evaluated(Struct, gc=False):
    disposition: str
    dkim: str
    spf: str
    reason: list[_Reason] | None = None


class _Identifiers(Struct, gc=False):
    header_from: str | None = None
    envelope_from: str | None = None
    envelope_to: str | None = None


class _Dkim(Struct, gc=False):
    domain: str | None = None
    selector: str | None = None
    result: str | None = None
    human_result: str | None = None


class _Spf(Struct, gc=False):
    domain: str | None = None
    scope: str | None = None
    result: str | None = None
    human_result: str | None = None


class _AuthResults(Struct, gc=False):
    dkim: list[_Dkim] | None = None
    spf: list[_Spf] | None = None


P = TypeVar("P")
E = TypeVar("E")
N = TypeVar("N")
A = TypeVar("A")
_NULL = Raw(b"null")


class _Row(Struct, Generic[E], gc=False):
    count: Count
    policy_evaluated: E
    source_ip: str | None = None


class _Record(Struct, Generic[E, N, A], gc=False):
    row: _Row[E]
    identifiers: N = cast("N", _NULL)
    auth_results: A = cast("A", _NULL)


class _Dmarc(Struct, Generic[P, E, N, A], gc=False):
    report_metadata: _Metadata
    policy_published: P
    record: list[_Record[E, N, A]]


PartOfRecord = _Record[Raw, Raw, Raw]
"""A row of a report of which only the source and the count are decoded."""

Record = _Record[_Evaluated, _Identifiers | None, _AuthResults | None]
"""A row of a report."""

Dmarc = _Dmarc[_Published, _Evaluated, _Identifiers | None, _AuthResults | None]
"""A report, as far as it is used."""

PartlyRead = _Dmarc[Raw, Raw, Raw, Raw]
"""
A report whose parts that repeat across reports and records are not decoded.

Each different part is decoded once and cached by its bytes, which halves the time compared with decoding everything.
"""

published_decoder = Decoder(_Published)
results_decoder = Decoder(tuple[_Evaluated, _Identifiers | None, _AuthResults | None])

NO_IDENTIFIERS = _Identifiers()
NO_RESULTS = _AuthResults()
