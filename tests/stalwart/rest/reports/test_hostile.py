"""Reports changed and damaged at random."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.incoming_reports import IncomingReport
from exporter.model.report_words import (
    ReportKind,
)
from exporter.stalwart.rest.reports.listing import parse_report
from exporter.store.reports.rows import ReportRows, identity_of
from tests.support.reports import wire
from tests.support.reports.reading import ARF, DMARC, ID, NOW, TLS


def read_or_reason(kind: ReportKind, body: bytes) -> IncomingReport | str:
    """The report that *body* holds, or why it holds none."""
    try:
        return parse_report(kind, ID, body, now=NOW)
    except PayloadError as error:
        return str(error)


REPORTS = {DMARC: wire.dmarc(), TLS: wire.tls(policies=[wire.tls_policy(details=[("x", 1)])]), ARF: wire.arf()}
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\u202e", "\x1b[2J", "<script>", "Unspecified", "::1", "2026-13-01T00:00:00Z"])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every member of *value*, at any depth."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, inner in members:
        found += [(*path, key), *places(inner, (*path, key))]
    return found


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from([DMARC, TLS, ARF]), data=st.data())
def test_any_change_to_a_report_gives_a_report_or_a_reason(kind: ReportKind, data: st.DataObject):
    """Members replaced or removed at any depth never end in anything but the model or a `PayloadError`."""
    report = json.loads(json.dumps(REPORTS[kind]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(report) or [()]))
        if not path:
            break
        holder: Any = report
        for key in path[:-1]:
            holder = holder[key]
        if data.draw(st.booleans()):
            holder[path[-1]] = data.draw(values)
        else:
            del holder[path[-1]]

    read = read_or_reason(kind, wire.body(report))

    if isinstance(read, str):
        assert read.isprintable()
        return
    rows = ReportRows("mx1")
    rows.add(read, identity_of(read))
    made = [value for table in (*rows.tables.values(), *rows.records.tables.values()) for value in table]
    assert made
    assert {type(value) for value in made} <= {int, str, bytes, type(None)}


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from([DMARC, TLS, ARF]), data=st.data())
def test_any_damage_to_the_bytes_gives_a_report_or_a_reason(kind: ReportKind, data: st.DataObject):
    """Cut, with bytes changed, or with a piece doubled."""
    body = wire.body(REPORTS[kind])
    at = data.draw(st.integers(0, len(body) - 1))
    damaged = data.draw(
        st.sampled_from([body[:at], body[:at] + body[at // 2 :]])
        | st.binary(max_size=8).map(lambda piece: body[:at] + piece + body[at + len(piece) :])
    )

    read = read_or_reason(kind, damaged)

    assert read.isprintable() if isinstance(read, str) else read.raw == damaged
