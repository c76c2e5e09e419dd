"""
The server's log.

Contract: Stalwart v0.16, ``x:Log``, newest first; tests/recordings/jmap-0.16.18. Ids are places in the log's files,
the newest file first: after a rotation each means another line. Pages follow each other by ``anchor`` alone, which is
not part of the next page; an anchor that is gone gives an empty page. ``total`` means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from exporter.errors import TargetServerError
from exporter.model.delivery import LogLine
from exporter.stalwart.jmap.api import JmapApi
from exporter.stalwart.jmap.paging import found_decoder
from exporter.stalwart.jmap.wire import Answers, Call
from exporter.stalwart.log_lines import read_log_lines

IDS_A_QUERY = 5000
"""The most ids that a server gives at once."""

TRIES = 3

T = TypeVar("T")


class Line(msgspec.Struct, gc=False):
    """A line. A line is known again by its text, so its level is in capitals, as in the log itself and up to v0.15."""

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
    """The ids mean other lines than before."""


class LogReader:
    """Reads the newest lines of one server's log."""

    def __init__(self, api: JmapApi) -> None:
        self._api = api

    async def read(self, limit: int) -> Sequence[LogLine]:
        """The newest *limit* lines, newest first, as if from one answer. Raises a `TargetError`."""
        for _ in range(TRIES):
            try:
                lines = await _Reading(self._api).run(limit)
            except _RotatedError:
                continue
            return read_log_lines(lines, "x:Log/get.list")
        raise TargetServerError("x:Log/get: the log was rotated while it was read, again and again")


class _Reading:
    """
    One answer put together from several.

    The newest line is asked for again with each request: as long as it is the same, the files are.
    """

    def __init__(self, api: JmapApi) -> None:
        self._api = api
        self._lines: list[Line] = []

    async def run(self, limit: int) -> Sequence[Line]:
        ended = False
        while len(self._lines) < limit and not ended:
            ended = await self._read_on(min(limit - len(self._lines), IDS_A_QUERY))
        return self._lines

    async def _read_on(self, wanted: int) -> bool:
        """
        The next *wanted* lines, or fewer; true at the end of the log.

        Fewer do not make an end: what was written between the first two calls takes up places of the second.
        """
        most = min(wanted, self._api.limits.objects)
        place = {"anchor": self._lines[-1].id} if self._lines else {}
        page = Call("q", "x:Log/query", {**place, "limit": most})
        get = Call("g", "x:Log/get", {"#ids": page.ids()})
        further = Call("f", "x:Log/query", {**place, "limit": wanted})
        answers = await self._ask([page, get, *([further] if wanted > most else [])])
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

    async def _get(self, ids: Sequence[str]) -> None:
        """The lines of *ids*, as many a request as the server allows."""
        gets = [
            Call(f"g{number}", "x:Log/get", {"ids": part})
            for number, part in enumerate(_parts(ids, self._api.limits.objects))
        ]
        for batch in _parts(gets, max(1, self._api.limits.calls - 1)):
            answers = await self._ask(batch)
            for get in batch:
                self._add(answers, get, get.arguments["ids"])

    async def _ask(self, calls: Sequence[Call]) -> Answers:
        if not self._lines:
            return await self._api.ask(calls)
        newest = self._lines[0]
        witness = Call("w", "x:Log/get", {"ids": [newest.id]})
        answers = await self._api.ask([*calls, witness])
        if answers.result(witness, _lines).items != [newest]:
            raise _RotatedError
        return answers

    def _add(self, answers: Answers, get: Call, ids: Sequence[str]) -> None:
        """Adds the lines of *ids*, in that order."""
        lines = {line.id: line for line in answers.result(get, _lines).items}
        if not all(id_ in lines for id_ in ids):
            raise _RotatedError
        self._lines += [lines[id_] for id_ in ids]


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
