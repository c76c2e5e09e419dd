"""
Paging through the results of a query.

Contract: Stalwart v0.16, every object but ``x:Log``. The first page is requested with ``position`` 0 and
``calculateTotal``, the next ones with ``anchor`` and ``anchorOffset`` 1; with other parameters, rows may be out of
order or repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.wire import AnchorGone, Call, MethodResponses

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Found(msgspec.Struct):
    """
    The result of a query.

    Attributes:
        total: ``None`` if it was not requested.
        limit: The number of ids to which the server truncated the result; ``None`` if it did not.
    """

    ids: list[str]
    total: _Count | None = None
    limit: _Count | None = None


found_decoder = msgspec.json.Decoder(Found)


class Page(NamedTuple):
    """
    One page.

    Attributes:
        ids: The ids that no earlier page had.
        answers: The responses, with the result of *get* if objects were requested.
    """

    ids: Sequence[str]
    answers: MethodResponses
    get: Call


class Cursor:
    """
    The pages of one query, in order.

    With *properties*, each page's objects are fetched along with their ids. *by_position* is for servers with broken
    anchors.

    Attributes:
        ended: There is no further page.
        total: The number of results, as reported with the first page; ``None`` before it.
    """

    def __init__(
        self,
        api: JmapApi,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        rows: int,
        by_position: bool,
        properties: Sequence[str] = (),
    ) -> None:
        self.ended = False
        self.total: int | None = None
        self._api = api
        self._kind = kind
        self._arguments = arguments
        self._rows = rows if not properties else min(rows, api.limits.objects)
        self._by_position = by_position
        self._properties = properties
        self._position = 0
        self._last_id = ""
        self._seen: set[str] = set()

    async def next_page(self) -> Page:
        """Fetch the next page; empty after the last."""
        query = Call("q", f"x:{self._kind}/query", {**self._arguments, **self._place(), "limit": self._rows})
        get = Call("g", f"x:{self._kind}/get", {"#ids": query.ids(), "properties": self._properties})
        answers = await self._api.ask([query, get] if self._properties else [query])
        try:
            found = answers.result(query, found_decoder)
        except AnchorGone:
            if self._by_position:
                raise
            # The anchor was purged. Rows purged before it shift the rest forward, so step back one page.
            self._by_position, self._position = True, max(0, self._position - self._rows)
            return await self.next_page()
        self.total = found.total if found.total is not None else self.total
        fresh = [id_ for id_ in found.ids if id_ not in self._seen]
        self._seen.update(fresh)
        self._position += len(found.ids)
        self._last_id = found.ids[-1] if found.ids else self._last_id
        self.ended = not fresh or len(found.ids) < min(self._rows, found.limit or self._rows)
        return Page(fresh, answers, get)

    def _place(self) -> Mapping[str, Any]:
        if not self._last_id:
            return {"position": 0, "calculateTotal": True}
        if self._by_position:
            return {"position": self._position}
        return {"anchor": self._last_id, "anchorOffset": 1}
