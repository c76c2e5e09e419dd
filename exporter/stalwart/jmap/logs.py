"""
Reading of the server's log.

Contract: Stalwart v0.16, ``x:Log``, newest first; tests/recordings/jmap-0.16.18. An id is a place in the log's files,
counted from the newest file, so after a rotation it belongs to another line. Pages are requested by ``anchor`` alone;
the anchor is not part of the next page, and one that no longer exists returns an empty page. ``total`` is meaningless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from exporter.errors import TargetServerError
from exporter.model.delivery import LogLine, LogPage
from exporter.stalwart.common.ids import MOST, decode_id, encode_id
from exporter.stalwart.events.log_lines import parse_log_lines
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.paging import found_decoder
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses

IDS_A_QUERY = 5000
"""The most ids that a server returns per query."""

TRIES = 3

FILE_BITS = 48
"""The bits of an id that are the place in the file; above them is the file's number, from the newest by name."""

OTHER_FILES = tuple(encode_id(number << FILE_BITS) for number in (1, 2, 3))
"""The ids of the first lines of the files that the server reads after the newest; none should be newer."""

MANY_LINES = 500
"""At least this many lines are parsed on a thread."""

T = TypeVar("T")


class Line(msgspec.Struct, gc=False):
    """A log line. Lines are recognised by their text, so `level` is in capitals, as in the log and up to v0.15."""

    id: str
    timestamp: str
    details: str
    event_id: str = msgspec.field(name="event")
    lower_level: str = msgspec.field(name="level")

    @property
    def level(self) -> str:
        return self.lower_level.upper()


class _Lines(msgspec.Struct):
    items: list[Line] = msgspec.field(name="list")


_lines = msgspec.json.Decoder(_Lines)


class _RotatedError(Exception):
    """The files were rotated, so ids belong to other lines than before."""


@dataclass(frozen=True, slots=True)
class _Place:
    """
    The end of a page.

    Attributes:
        newest: The newest line of the first page; while its id still leads to it, the files have not been rotated.
        last_id: The id of this page's last line.
    """

    newest: Line
    last_id: str

    def moved(self) -> _Place | None:
        """Return the same place after one rotation; ``None`` if no id can express it."""
        newest, last = _one_file_older(self.newest.id), _one_file_older(self.last_id)
        if not newest or not last:
            return None
        return _Place(msgspec.structs.replace(self.newest, id=newest), last)


class LogReader:
    """A reader of one server's log, from the newest line backwards."""

    def __init__(self, api: JmapApi) -> None:
        self._api = api

    async def newest(self, limit: int) -> LogPage:
        """Fetch the newest *limit* lines, newest first, as if from one response. Raises a `TargetError`."""
        for _ in range(TRIES):
            reading = _Reading(self._api)
            try:
                ended = await reading.run(limit)
            except _RotatedError:
                continue
            lines = await _read(reading.lines)
            newest = lines[0].at if lines else None
            return LogPage(
                lines=lines,
                ended=ended,
                newer_elsewhere=next((at for at in reading.elsewhere if newest is not None and at > newest), None),
                place=_Place(reading.lines[0], reading.lines[-1].id) if lines else None,
            )
        raise TargetServerError("x:Log/get: the log was rotated repeatedly while it was read")

    async def find(self, text: str, *, limit: int) -> Sequence[LogLine]:
        """Fetch the newest *limit* lines that contain *text*, newest first; one request."""
        query = Call("q", "x:Log/query", {"filter": {"text": text}, "limit": limit})
        get = Call("g", "x:Log/get", {"#ids": query.ids()})
        answers = await self._api.ask([query, get])
        found = {line.id: line for line in answers.result(get, _lines).items}
        ids = answers.result(query, found_decoder).ids
        return parse_log_lines([found[id_] for id_ in ids if id_ in found], "x:Log/get.list")

    async def older(self, page: LogPage, limit: int) -> LogPage:
        """Fetch at most *limit* lines older than those of *page*; none if they can no longer be found."""
        place = page.place if isinstance(page.place, _Place) else None
        for _ in range(TRIES):
            if place is None:
                break
            reading = _Reading(self._api, place)
            try:
                ended = await reading.run_on(limit)
            except _RotatedError:
                place = place.moved()
                continue
            last_id = reading.lines[-1].id if reading.lines else place.last_id
            return LogPage(lines=await _read(reading.lines), ended=ended, place=_Place(place.newest, last_id))
        return LogPage(lines=(), ended=True)


async def _read(lines: Sequence[Line]) -> Sequence[LogLine]:
    if len(lines) < MANY_LINES:
        return parse_log_lines(lines, "x:Log/get.list")
    return await asyncio.to_thread(parse_log_lines, lines, "x:Log/get.list")


class _Reading:
    """
    One page, assembled from several responses.

    Each request also fetches the newest line: while it is the same, the files have not been rotated.

    Attributes:
        lines: The lines read so far, newest first.
        elsewhere: The times of the first lines of the files after the newest one.
    """

    def __init__(self, api: JmapApi, place: _Place | None = None) -> None:
        self.lines: list[Line] = []
        self.elsewhere: Sequence[datetime] = ()
        self._api = api
        self._place = place

    async def run(self, limit: int) -> bool:
        """Read *limit* lines; return true at the end of the log."""
        ended = False
        while len(self.lines) < limit and not ended:
            ended = await self._fetch_on(min(limit - len(self.lines), IDS_A_QUERY))
        return ended

    async def run_on(self, limit: int) -> bool:
        """
        Read *limit* lines with fewer requests, which pays off only for thousands; return true at the end of the log.

        Each request fetches the lines whose ids the previous one returned, and requests the next ids.
        """
        listed: Sequence[str] = ()
        last_id, ended = self._last_id(), False
        while True:
            wanted = min(limit - len(self.lines) - len(listed), IDS_A_QUERY)
            gets = self._gets(listed)
            query = Call("q", "x:Log/query", {"anchor": last_id, "limit": wanted}) if wanted > 0 and not ended else None
            if not gets and query is None:
                return ended
            batches = list(_parts([*gets, *([query] if query else [])], max(2, self._api.limits.calls - 1)))
            found: Sequence[str] = ()
            for batch in batches:
                answers = await self._ask(batch)
                for call in batch:
                    if call is query:
                        found = answers.result(call, found_decoder).ids
                        ended = len(found) < wanted
                    else:
                        self._add(answers, call, call.arguments["ids"])
            listed, last_id = found, found[-1] if found else last_id

    def _last_id(self) -> str:
        if self.lines:
            return self.lines[-1].id
        return self._place.last_id if self._place is not None else ""

    async def _fetch_on(self, wanted: int) -> bool:
        """
        Fetch the next *wanted* lines, or fewer; return true at the end of the log.

        Fewer lines do not mean the end: lines written between the first two calls take up places in the second.
        """
        most = min(wanted, self._api.limits.objects)
        first, anchor = not self.lines, self._last_id()
        place = {"anchor": anchor} if anchor else {}
        page = Call("q", "x:Log/query", {**place, "limit": most})
        get = Call("g", "x:Log/get", {"#ids": page.ids()})
        further = Call("f", "x:Log/query", {**place, "limit": wanted})
        other = Call("o", "x:Log/get", {"ids": OTHER_FILES})
        extra = [*([further] if wanted > most else []), *([other] if first else [])]
        answers = await self._ask([page, get, *extra])
        if first:
            self.elsewhere = [
                line.at for line in parse_log_lines(answers.result(other, _lines).items, "x:Log/get.list")
            ]
        ids = answers.result(page, found_decoder).ids
        self._add(answers, get, ids)
        if wanted <= most or len(ids) < most:
            return len(ids) < most
        listed = answers.result(further, found_decoder).ids
        if ids[-1] in listed:
            await self._get(listed[listed.index(ids[-1]) + 1 :])
        elif len(listed) < wanted:
            raise _RotatedError
        return len(listed) < wanted

    def _gets(self, ids: Sequence[str]) -> Sequence[Call]:
        return [
            Call(f"g{number}", "x:Log/get", {"ids": part})
            for number, part in enumerate(_parts(ids, self._api.limits.objects))
        ]

    async def _get(self, ids: Sequence[str]) -> None:
        """Fetch the lines of *ids*, with as many per request as the server allows."""
        for batch in _parts(self._gets(ids), max(1, self._api.limits.calls - 1)):
            answers = await self._ask(batch)
            for get in batch:
                self._add(answers, get, get.arguments["ids"])

    async def _ask(self, calls: Sequence[Call]) -> MethodResponses:
        newest = self._place.newest if self._place is not None else self.lines[0] if self.lines else None
        if newest is None:
            return await self._api.ask(calls)
        witness = Call("w", "x:Log/get", {"ids": [newest.id]})
        answers = await self._api.ask([*calls, witness])
        if answers.result(witness, _lines).items != [newest]:
            raise _RotatedError
        return answers

    def _add(self, answers: MethodResponses, get: Call, ids: Sequence[str]) -> None:
        """Append the lines of *ids*, in that order."""
        lines = {line.id: line for line in answers.result(get, _lines).items}
        if not all(id_ in lines for id_ in ids):
            raise _RotatedError
        self.lines += [lines[id_] for id_ in ids]


def _one_file_older(id_: str) -> str:
    """Return the id of a line after a rotation; empty if there is none."""
    try:
        number = decode_id(id_) + (1 << FILE_BITS)
    except ValueError:
        return ""
    return encode_id(number) if number < MOST else ""


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
