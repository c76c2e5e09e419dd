"""
Questions to the report history, for the command line.

Sums are of messages as reported. Texts are as reporters wrote them: whoever shows them makes them harmless.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exporter.model.report_words import ReportKind
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.packing import unpack
from exporter.store.reports.schema import SEEN_SOURCE

Fields = dict[str, Any]

EXPORT_BATCH = 200

CHILDREN: Mapping[str, tuple[str, ...]] = {
    "dmarc_policy": ("errors",),
    "dmarc_record": (),
    "dmarc_auth": (),
    "dmarc_override": (),
    "tls_policy": ("strings", "mx_hosts"),
    "tls_failure": (),
    "arf_feedback": ("domains", "uris", "authentication_results"),
}
"""The tables below ``report``, and their columns that hold a JSON list."""


def list_reports(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """The *most* recently received reports."""
    condition, parameters = wanted.condition()
    sql = f"SELECT * FROM report WHERE {condition} ORDER BY received_at DESC, id DESC LIMIT ?"  # noqa: S608 - the condition is made of our own texts
    return [_without_identity(row) for row in connection.execute(sql, [*parameters, most])]


def list_rejected(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """The *most* recently rejected ones, of the wanted server and kind."""
    rows = connection.execute(
        "SELECT id, server, kind, source_id, received_at, rejected_at, reason FROM report_rejected"
        " WHERE (?1 IS NULL OR server = ?1) AND (?2 IS NULL OR kind = ?2) ORDER BY rejected_at DESC, id DESC LIMIT ?3",
        (wanted.server, wanted.kind and wanted.kind.value, most),
    )
    return [dict(row) for row in rows]


def count_rejected(connection: sqlite3.Connection, wanted: ReportFilter) -> int:
    """How many there are, of the wanted server and kind."""
    row = connection.execute(
        "SELECT count(*) FROM report_rejected WHERE (?1 IS NULL OR server = ?1) AND (?2 IS NULL OR kind = ?2)",
        (wanted.server, wanted.kind and wanted.kind.value),
    ).fetchone()
    return int(row[0])


def backfill_progress(connection: sqlite3.Connection) -> Sequence[Fields]:
    """
    How far the history reaches, by server and kind.

    Each has ``server``, ``kind``, ``reports``, ``rejected``, and of the last list of the server ``total`` and what is
    ``left`` to fetch, both 0 before there was one.
    """
    counts = _count_by_kind(connection, "report")
    rejected = _count_by_kind(connection, "report_rejected")
    sources = {SEEN_SOURCE.format(kind=kind.value): kind.value for kind in ReportKind}
    marks = {
        (row["server"], sources[row["source"]]): json.loads(row["state"])
        for row in connection.execute("SELECT server, source, state FROM watermark")
        if row["source"] in sources
    }
    return [
        {
            "server": server,
            "kind": kind,
            "reports": counts.get((server, kind), 0),
            "rejected": rejected.get((server, kind), 0),
            "left": marks.get((server, kind), {}).get("left", 0),
            "total": marks.get((server, kind), {}).get("total", 0),
        }
        for server, kind in sorted({*counts, *rejected, *marks})
    ]


def _count_by_kind(connection: sqlite3.Connection, table: str) -> Mapping[tuple[str, str], int]:
    rows = connection.execute(f"SELECT server, kind, count(*) FROM {table} GROUP BY server, kind")  # noqa: S608 - one of our own tables
    return {(row[0], row[1]): row[2] for row in rows}


def load_rejected(connection: sqlite3.Connection, id_: int) -> Fields | None:
    """One rejected report with its raw answer; ``None`` if there is none of that id."""
    row = connection.execute("SELECT * FROM report_rejected WHERE id = ?", (id_,)).fetchone()
    return None if row is None else {**dict(row), "raw": _unpacked(dict(row).pop("packed"))}


def load_raw(connection: sqlite3.Connection, id_: int) -> bytes:
    """The answer that a report was read from; empty if it is not there."""
    row = connection.execute("SELECT packed FROM report_raw WHERE report = ?", (id_,)).fetchone()
    return b"" if row is None else _unpacked(row["packed"])


def load_reports(connection: sqlite3.Connection, ids: Sequence[int]) -> Sequence[Fields]:
    """Whole reports, in the order of *ids*; one that is gone is left out."""
    listed = json.dumps(list(ids))
    rows = connection.execute("SELECT * FROM report WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    reports = {row["id"]: _without_identity(row) for row in rows}
    children: dict[str, dict[int, list[Fields]]] = {table: _children(connection, table, listed) for table in CHILDREN}
    for id_, report in reports.items():
        report.update(_CONTENTS[report["kind"]](id_, children))
    return [reports[id_] for id_ in ids if id_ in reports]


def count_reports(connection: sqlite3.Connection, wanted: ReportFilter) -> int:
    """How many there are."""
    condition, parameters = wanted.condition()
    sql = f"SELECT count(*) FROM report WHERE {condition}"  # noqa: S608 - as above
    return int(connection.execute(sql, parameters).fetchone()[0])


def iterate_reports(connection: sqlite3.Connection, wanted: ReportFilter) -> Iterator[Fields]:
    """Whole reports, the oldest first, a few in memory at a time."""
    condition, parameters = wanted.condition()
    sql = f"SELECT id FROM report WHERE id > ? AND {condition} ORDER BY id LIMIT ?"  # noqa: S608 - as above
    last = 0
    while True:
        ids = [row["id"] for row in connection.execute(sql, [last, *parameters, EXPORT_BATCH])]
        if not ids:
            return
        yield from load_reports(connection, ids)
        last = ids[-1]


def _children(connection: sqlite3.Connection, table: str, listed: str) -> dict[int, list[Fields]]:
    sql = f"SELECT * FROM {table} WHERE report IN (SELECT value FROM json_each(?)) ORDER BY 1, 2, 3"  # noqa: S608 - a name from our own schema
    found: dict[int, list[Fields]] = {}
    for row in connection.execute(sql, (listed,)):
        fields = dict(row)
        for column in CHILDREN[table]:
            fields[column] = json.loads(fields[column])
        found.setdefault(fields.pop("report"), []).append(fields)
    return found


Children = Mapping[str, Mapping[int, list[Fields]]]


def _dmarc(id_: int, children: Children) -> Fields:
    records = children["dmarc_record"].get(id_, [])
    for table, name in (("dmarc_auth", "auth_results"), ("dmarc_override", "overrides")):
        below = _by(children[table].get(id_, []), "record")
        for record in records:
            record[name] = below.get(record["record"], [])
    return {**_only(children["dmarc_policy"].get(id_, [])), "records": records}


def _tls(id_: int, children: Children) -> Fields:
    policies = children["tls_policy"].get(id_, [])
    below = _by(children["tls_failure"].get(id_, []), "policy")
    for policy in policies:
        policy["details"] = below.get(policy["policy"], [])
    return {"policies": policies}


def _arf(id_: int, children: Children) -> Fields:
    return _only(children["arf_feedback"].get(id_, []))


_CONTENTS = {"dmarc": _dmarc, "tls": _tls, "arf": _arf}


def _by(rows: Sequence[Fields], column: str) -> dict[int, list[Fields]]:
    grouped: dict[int, list[Fields]] = {}
    for row in rows:
        grouped.setdefault(row[column], []).append({k: v for k, v in row.items() if k not in (column, "number")})
    return grouped


def _only(rows: Sequence[Fields]) -> Fields:
    return rows[0] if rows else {}


def _without_identity(row: sqlite3.Row) -> Fields:
    return {name: row[name] for name in row.keys() if name != "identity"}  # noqa: SIM118 - a row is no mapping


def _unpacked(packed: bytes) -> bytes:
    try:
        return unpack(packed)
    except ValueError:
        return b""
