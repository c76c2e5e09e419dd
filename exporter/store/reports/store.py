"""The report history as the daemon uses it: deduplication, writes, sums and expiry."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from exporter.model.incoming_reports import Incoming, IncomingReport, UnreadableReport
from exporter.model.report_words import ReportKind
from exporter.model.reports import ArfReport, TlsReport
from exporter.stalwart.common.report_ids import lasting_id
from exporter.store.inserts import MAX_PARAMETERS
from exporter.store.reports.arf_identity import RENAME, Renamed, is_renamed, renamed_query
from exporter.store.reports.dmarc.networks import SourceUpdate, find_new, learn_older
from exporter.store.reports.peers import report_only_peers
from exporter.store.reports.policies import PolicyKey, known_policies_query, unknown_policies
from exporter.store.reports.rows import ReportRows, identity_of
from exporter.store.reports.schema import SEEN_SOURCE
from exporter.store.reports.sums import LAST_HEARD, window_query
from exporter.store.reports.texts import cut
from exporter.store.store import RowWriter, Store

NEXT_ID = "SELECT coalesce(max(id), 0) + 1 FROM report"

_KNOWN = "SELECT identity FROM report WHERE server = ? AND kind = ? AND kind <> 'tls' AND identity IN ({marks})"

FORGET_REJECTED = (
    "DELETE FROM report_rejected WHERE server = ? AND kind = ? AND source_id IN (SELECT value FROM json_each(?))"
)

FORGET_SEEN = (
    "DELETE FROM seen WHERE server = ? AND source = ? AND at < ? AND id NOT IN (SELECT value FROM json_each(?))"
)


class NewReport(NamedTuple):
    """A report to be written, and its `identity_of`."""

    report: IncomingReport
    identity: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """
    The result of comparing reports with the history, by position; reports in no mapping are already known.

    Attributes:
        new: Reports to be written; for TLS reports, only the policies to be written.
        renamed: Reports that are known under another id.
        rejected: Unreadable reports that are not in the history yet.
    """

    new: Mapping[int, NewReport]
    renamed: Mapping[int, Renamed]
    rejected: Mapping[int, UnreadableReport]

    def counted(self) -> list[Incoming]:
        """Return the reports that add to the counters, in order of position."""
        found: dict[int, Incoming] = {place: new.report for place, new in self.new.items()}
        return [report for _, report in sorted({**found, **self.rejected}.items())]


class ReportHistory:
    """
    The reports of one server. Every method raises `StoreError` while the file cannot be used.

    Only one task writes reports of a server, so what it finds to be unknown stays unknown until it writes it.
    """

    def __init__(self, store: Store, server: str) -> None:
        self._store = store
        self._server = server

    async def unseen(self, kind: ReportKind, ids: Sequence[str]) -> list[str]:
        """Return those *ids* that are not recorded, in order."""
        rows = await self._store.read(
            "SELECT value FROM json_each(?) WHERE NOT EXISTS"
            " (SELECT 1 FROM seen WHERE server = ? AND source = ? AND id = value) ORDER BY key",
            (json.dumps(ids), self._server, seen_source(kind)),
        )
        return [row[0] for row in rows]

    async def judge(self, reports: Sequence[Incoming]) -> Judged:
        """Return which *reports* are not in the history yet."""
        tls: dict[int, NewReport] = {}
        others: dict[tuple[str, bytes], int] = {}
        unreadable: dict[tuple[str, str], int] = {}
        for place, report in enumerate(reports):
            if isinstance(report, UnreadableReport):
                unreadable.setdefault((str(report.kind), lasting_id(report.source_id)), place)
            elif report.kind is ReportKind.TLS:
                tls[place] = NewReport(report, identity_of(report))
            else:
                others.setdefault((str(report.kind), identity_of(report)), place)
        new = await self._new(reports, others)
        renamed = await self._renamed(new)
        new = {place: of for place, of in new.items() if place not in renamed} | await self._new_policies(tls)
        return Judged(new=new, renamed=renamed, rejected=await self._rejected(reports, unreadable))

    async def _new(self, reports: Sequence[Incoming], places: Mapping[tuple[str, bytes], int]) -> dict[int, NewReport]:
        """Return the unknown DMARC and ARF reports at *places*, which map kind and identity to a position."""
        known = await self._known(places)
        found = {}
        for key, place in places.items():
            report = reports[place]
            if key not in known and isinstance(report, IncomingReport):
                found[place] = NewReport(report, key[1])
        return found

    async def _new_policies(self, reports: Mapping[int, NewReport]) -> dict[int, NewReport]:
        """Return the TLS *reports* with unknown policies, reduced to these."""
        known = await self._known_policies({new.identity for new in reports.values()})
        found = {}
        for place, (report, identity) in reports.items():
            content = report.content
            if not isinstance(content, TlsReport):
                continue
            is_first = identity not in known
            policies = unknown_policies(content.policies, known.setdefault(identity, Counter()))
            if policies or is_first:
                found[place] = NewReport(report._replace(content=replace(content, policies=policies)), identity)
        return found

    async def _known_policies(self, identities: Set[bytes]) -> dict[bytes, Counter[PolicyKey]]:
        """Return the number of known policies by domain and type, for each report identity."""
        known: dict[bytes, Counter[PolicyKey]] = {}
        for part in _parts(list(identities)):
            sql, parameters = known_policies_query(self._server, part)
            for identity, domain, type_, count in await self._store.read(sql, parameters):
                of = known.setdefault(identity, Counter())
                if domain is not None:
                    of[domain, type_] = count
        return known

    async def _rejected(
        self, reports: Sequence[Incoming], places: Mapping[tuple[str, str], int]
    ) -> dict[int, UnreadableReport]:
        """Return the unreadable reports at *places*, by kind and stable id, that were not rejected before."""
        found = {}
        for key, place in places.items():
            report = reports[place]
            if isinstance(report, UnreadableReport) and not await self._is_rejected(*key):
                found[place] = report
        return found

    async def _is_rejected(self, kind: str, id_: str) -> bool:
        sql = "SELECT 1 FROM report_rejected WHERE server = ? AND kind = ? AND source_id = ?"
        return bool(list(await self._store.read(sql, (self._server, kind, id_))))

    async def _renamed(self, new: Mapping[int, NewReport]) -> dict[int, Renamed]:
        """Return feedback that the server listed under another id before its upgrade."""
        renamed: dict[int, Renamed] = {}
        taken: set[int] = set()
        for place, (report, identity) in new.items():
            content = report.content
            if not isinstance(content, ArfReport) or (query := renamed_query(self._server, content)) is None:
                continue
            rows = [row for row in await self._store.read(*query) if row[0] not in taken]
            row = next((row[0] for row in rows if is_renamed(row, report.source_id, content)), None)
            if row is not None:
                taken.add(row)
                renamed[place] = Renamed(identity, report.source_id, cut(content.source_id), row)
        return renamed

    async def _known(self, identities: Iterable[tuple[str, bytes]]) -> set[tuple[str, bytes]]:
        by_kind: dict[str, list[bytes]] = {}
        for kind, identity in identities:
            by_kind.setdefault(kind, []).append(identity)
        known = set()
        for kind, wanted in by_kind.items():
            for part in _parts(wanted):
                marks = ", ".join("?" * len(part))
                rows = await self._store.read(_KNOWN.format(marks=marks), (self._server, kind, *part))
                known |= {(kind, row[0]) for row in rows}
        return known

    async def new_sources(self, judged: Judged, *, learning: bool) -> SourceUpdate:
        """Return what the new reports add to the sources of their domains; while *learning*, none of them is new."""
        return await find_new(self._store, self._server, (new.report for new in judged.new.values()), learning=learning)

    async def older_sources(self, after: int) -> tuple[SourceUpdate, int | None]:
        """Return the sources of some stored reports, and from where to go on; ``None`` after the last."""
        return await learn_older(self._store, self._server, after)

    def source_writer(self, sources: SourceUpdate) -> RowWriter:
        """Return a function that writes *sources*."""
        return partial(sources.write, server=self._server)

    def writer(self, judged: Judged, *, now: datetime, sources: SourceUpdate | None = None) -> RowWriter:
        """
        Return a function that writes the new and the rejected reports, and what they add to the *sources*.

        A report that an older release rejected is no longer rejected once it is stored.
        """

        def write(connection: sqlite3.Connection) -> None:
            rows = ReportRows(self._server, connection.execute(NEXT_ID).fetchone()[0])
            for report, identity in judged.new.values():
                rows.add(report, identity)
            for unreadable in judged.rejected.values():
                rows.reject(unreadable, now)
            rows.write(connection)
            for kind in ReportKind:
                taken = [lasting_id(of.report.source_id) for of in judged.new.values() if of.report.kind is kind]
                if taken:
                    connection.execute(FORGET_REJECTED, (self._server, kind.value, json.dumps(taken)))
            connection.executemany(RENAME, judged.renamed.values())
            if sources is not None:
                sources.write(connection, self._server)

        return write

    async def forget_seen(self, kind: ReportKind, listed: Iterable[str], *, before: datetime) -> int:
        """Delete ids that are no longer *listed* and were recorded *before*; return their number."""
        parameters = (self._server, seen_source(kind), int(before.timestamp()), json.dumps(list(listed)))
        return await self._store.write(lambda connection: connection.execute(FORGET_SEEN, parameters).rowcount)

    async def dmarc_windows(self, now: datetime, days: Sequence[int]) -> Mapping[int, Mapping[str, tuple[int, int]]]:
        """Return aligned and failed messages by domain and window; *days* are the windows' lengths up to *now*."""
        windows = {}
        for length in days:
            sql, parameters = window_query(self._server, int(now.timestamp()), length)
            windows[length] = {row[0]: (int(row[1]), int(row[2])) for row in await self._store.read(sql, parameters)}
        return windows

    async def last_heard(self, *, most: int) -> Sequence[tuple[str | None, str | None, int, int]]:
        """
        Return when a report about a domain last came from a reporter.

        Rows are domain, reporter, Unix seconds and number of pairs. The *most* busiest domains and reporters are named,
        all others are combined under ``None``.
        """
        rows = await self._store.read(LAST_HEARD, {"server": self._server, "most": most})
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def report_only_peers(self, now: datetime) -> Mapping[str, int] | None:
        """Return what `peers.report_only_peers` returns for this server."""
        return await report_only_peers(self._store, self._server, now)


def _parts(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield *values* in batches that fit into one statement."""
    for start in range(0, len(values), MAX_PARAMETERS):
        yield values[start : start + MAX_PARAMETERS]


def seen_source(kind: ReportKind) -> str:
    """Return the source under which ids of *kind* are recorded."""
    return SEEN_SOURCE.format(kind=kind.value)
