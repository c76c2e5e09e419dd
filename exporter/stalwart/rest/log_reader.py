"""
Reading of the server's log, page by page.

A page is requested by the number of lines before it, counted from the newest. Lines written between two requests shift
the older ones, so each request starts before the end of the last page, and the overlap is matched.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model.delivery import LogLine, LogPage
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.logs import LogAnswer, parse_log_answer

OVERLAP = 500
"""Lines of the last page that are requested again; lines written in the meantime add to them."""

LONG_OVERLAP = 10_000
"""The same if repeated equal lines make a shorter overlap ambiguous."""

MARK_BYTES = 8

TRIES = 10
"""The most requests for one page if more lines are written between two of them than fit into a page."""

LARGE_BYTES = 64 * 1024
"""Responses of at least this size are parsed on a thread."""


@dataclass(frozen=True, slots=True)
class _Place:
    """
    The end of a page.

    Attributes:
        depth: The number of lines in the files, counted from the newest, up to this place.
        tail: The fingerprints of its last lines, `MARK_BYTES` each.
    """

    depth: int
    tail: bytes


class LogReader:
    """A reader of one server's log, from the newest line backwards."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def newest(self, limit: int) -> LogPage:
        """Fetch the newest *limit* lines with one request. Raises a `TargetError`; ``ValueError`` for 0."""
        if limit < 1:
            raise ValueError("a limit of 0 asks for the whole log")
        answer = await self._ask({"limit": limit})
        return _page(answer, answer.lines, before=0, limit=limit)

    async def find(self, text: str, *, limit: int) -> Sequence[LogLine]:
        """Fetch the newest *limit* lines that contain *text*, newest first; one request."""
        return (await self._ask({"filter": text, "limit": limit})).lines

    async def older(self, page: LogPage, limit: int) -> LogPage:
        """
        Fetch at most *limit* lines older than those of *page*. Raises a `TargetError`.

        An ended page without lines means that no older lines can be found, since the files have changed.
        """
        place = page.place
        if not isinstance(place, _Place) or not place.tail:
            return LogPage(lines=(), ended=True)
        depth, overlap = place.depth, min(OVERLAP, limit // 4, place.depth // 4)
        longest = min(LONG_OVERLAP, limit * 2 // 5, depth * 2 // 5)
        for _ in range(TRIES):
            skipped = max(1, -(-(depth - overlap) // limit))
            size = max(1, (depth - overlap) // skipped)
            answer = await self._ask({"limit": size, "page": skipped + 1})
            unreadable = answer.lines_read(before=skipped * size, limit=size) - skipped * size - len(answer.lines)
            ends = _ends(answer.lines, place.tail, at_least=1 if unreadable > 0 else depth - skipped * size)
            if not ends and answer.lines:
                depth += max(1, len(answer.lines) - overlap)  # More was written in the meantime than fits.
            elif len(ends) > 1 and overlap < longest:
                overlap = longest
            elif ends:
                return _page(answer, answer.lines[ends[0] :], before=skipped * size, limit=size)
            else:
                break
        return LogPage(lines=(), ended=True)

    async def _ask(self, params: dict[str, str | int]) -> LogAnswer:
        body = await self._transport.request(Endpoint.LOGS, params=params)
        if len(body) < LARGE_BYTES:
            return parse_log_answer(body)
        return await asyncio.to_thread(parse_log_answer, body)


def _page(answer: LogAnswer, lines: Sequence[LogLine], *, before: int, limit: int) -> LogPage:
    depth = answer.lines_read(before=before, limit=limit)
    return LogPage(
        lines=lines,
        ended=len(answer.lines) < limit,
        unreadable=max(0, depth - before - len(answer.lines)),
        place=_Place(depth, _marks(answer.lines[-LONG_OVERLAP:])),
    )


def _ends(lines: Sequence[LogLine], tail: bytes, *, at_least: int) -> Sequence[int]:
    """Return the possible numbers of leading *lines*, *at_least* or more, that belong to a page ending in *tail*."""
    marks, last = _marks(lines), tail[-MARK_BYTES:]
    ends = []
    for end in range(max(1, at_least), len(lines) + 1):
        size = end * MARK_BYTES
        if marks[size - MARK_BYTES : size] != last:
            continue
        if marks.endswith(tail, 0, size) if size >= len(tail) else tail.endswith(marks[:size]):
            ends.append(end)
    return ends


def _marks(lines: Sequence[LogLine]) -> bytes:
    return array("q", [line.fingerprint for line in lines]).tobytes()
