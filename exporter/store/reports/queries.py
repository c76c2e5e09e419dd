"""
Queries of the report history, for the command line.

Sums are of messages, as reported. Texts are as the reporters wrote them: sanitise them before printing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exporter.clock import unix_second
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
"""The tables below ``report``, with their columns that hold a JSON list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailure:
    """
    Failed sessions to a domain that one reporter has reported for one result.

    Attributes:
        reporter: Empty if it is summed over reporters.
        result: As in RFC 8460, for example ``certificate-expired``.
        ends_at: The end of the newest report with it.
    """

    reporter: str
    result: str
    sessions: int
    ends_at: datetime


def list_reports(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """Return the *most* recently received reports, at most that many."""
    condition, parameters = wanted.condition()
    sql = f"SELECT * FROM report WHERE {condition} ORDER BY received_at DESC, id DESC LIMIT ?"  # noqa: S608 - the condition consists of our own SQL
    return [_without_identity(row) for row in connection.execute(sql, [*parameters, most])]


def newest_reports(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """Return the *most* reports that ended last, at most that many; by an index, however many there are."""
    found: dict[int, Fields] = {}
    # Who has sent a DMARC report is known without reading them all.
    unknown = wanted.reporter is not None and connection.execute(_REPORTER, (wanted.reporter,)).fetchone() is None
    without = (ReportKind.DMARC,) if unknown else ()
    for route in wanted.routes(report_servers(connection), most=most, without=without):
        found |= {row["id"]: _without_identity(row) for row in connection.execute(route.sql, route.parameters)}
    return sorted(found.values(), key=lambda row: (row["ends_at"], row["id"]), reverse=True)[:most]


def report_servers(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the servers that have received reports."""
    found: list[str] = []
    while (last := connection.execute(_NEXT_SERVER, {"after": found[-1] if found else ""}).fetchone()[0]) is not None:
        found.append(last)
    return found


_REPORTER = "SELECT 1 FROM dmarc_reporter WHERE instr(lower(reporter), lower(?)) > 0 LIMIT 1"
_NEXT_SERVER = """
    SELECT min(server) FROM (
        SELECT min(server) AS server FROM dmarc_day WHERE server > :after
        UNION ALL SELECT min(server) FROM report INDEXED BY report_other_ends WHERE server > :after AND kind <> 'dmarc'
    )
"""


def list_rejected(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """Return the last *most* rejected reports of the wanted server and kind."""
    rows = connection.execute(
        "SELECT id, server, kind, source_id, received_at, rejected_at, reason FROM report_rejected"
        " WHERE (?1 IS NULL OR server = ?1) AND (?2 IS NULL OR kind = ?2) ORDER BY rejected_at DESC, id DESC LIMIT ?3",
        (wanted.server, wanted.kind and wanted.kind.value, most),
    )
    return [dict(row) for row in rows]


def count_rejected(connection: sqlite3.Connection, wanted: ReportFilter) -> int:
    """Return the number of rejected reports of the wanted server and kind."""
    row = connection.execute(
        "SELECT count(*) FROM report_rejected WHERE (?1 IS NULL OR server = ?1) AND (?2 IS NULL OR kind = ?2)",
        (wanted.server, wanted.kind and wanted.kind.value),
    ).fetchone()
    return int(row[0])


def backfill_progress(connection: sqlite3.Connection) -> Sequence[Fields]:
    """
    Return the state of the history by server and kind.

    The fields are ``server``, ``kind``, ``reports``, ``rejected``, and from the server's last list ``total`` and
    ``left``, the number still to be fetched; both are 0 before the first list.
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


def list_tls_failures(
    connection: sqlite3.Connection,
    domain: str,
    *,
    server: str | None,
    received_since: datetime,
    most: int,
    with_reporter: bool,
) -> Sequence[TlsFailure]:
    """Return the failures in reports received since then, most sessions first; without reporters, summed over them."""
    rows = connection.execute(
        "SELECT CASE WHEN ?5 THEN r.reporter ELSE '' END AS reporter, f.result,"
        " sum(f.sessions) AS sessions, max(r.ends_at) AS ends_at"
        " FROM report r JOIN tls_policy p ON p.report = r.id"
        " JOIN tls_failure f ON f.report = p.report AND f.policy = p.policy"
        " WHERE r.received_at >= ?1 AND r.kind = 'tls' AND (?2 IS NULL OR r.server = ?2) AND p.domain = ?3"
        " GROUP BY 1, f.result ORDER BY sessions DESC, 1 LIMIT ?4",
        (unix_second(received_since), server, domain, most, with_reporter),
    )
    return [
        TlsFailure(
            reporter=row["reporter"],
            result=row["result"],
            sessions=row["sessions"],
            ends_at=datetime.fromtimestamp(row["ends_at"], UTC),
        )
        for row in rows
    ]


def load_rejected(connection: sqlite3.Connection, id_: int) -> Fields | None:
    """Return a rejected report with its raw response; ``None`` if *id_* does not exist."""
    row = connection.execute("SELECT * FROM report_rejected WHERE id = ?", (id_,)).fetchone()
    return None if row is None else {**dict(row), "raw": _unpacked(dict(row).pop("packed"))}


def load_raw(connection: sqlite3.Connection, id_: int) -> bytes:
    """Return the raw response that a report was parsed from; empty if it does not exist."""
    row = connection.execute("SELECT packed FROM report_raw WHERE report = ?", (id_,)).fetchone()
    return b"" if row is None else _unpacked(row["packed"])


def load_reports(connection: sqlite3.Connection, ids: Sequence[int]) -> Sequence[Fields]:
    """Return whole reports, in the order of *ids*; missing ones are left out."""
    listed = json.dumps(list(ids))
    rows = connection.execute("SELECT * FROM report WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    reports = {row["id"]: _without_identity(row) for row in rows}
    children: dict[str, dict[int, list[Fields]]] = {table: _children(connection, table, listed) for table in CHILDREN}
    for id_, report in reports.items():
        report.update(_CONTENTS[report["kind"]](id_, children))
    return [reports[id_] for id_ in ids if id_ in reports]


def count_reports(connection: sqlite3.Connection, wanted: ReportFilter) -> int:
    """Return the number of wanted reports."""
    condition, parameters = wanted.condition()
    sql = f"SELECT count(*) FROM report WHERE {condition}"  # noqa: S608 - as above
    return int(connection.execute(sql, parameters).fetchone()[0])


def iterate_reports(connection: sqlite3.Connection, wanted: ReportFilter) -> Iterator[Fields]:
    """Yield whole reports, oldest first, in small batches."""
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
