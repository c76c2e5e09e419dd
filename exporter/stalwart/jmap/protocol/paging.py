"""
Page by page through what a query finds.

Contract: Stalwart v0.16, every object but ``x:Log``. The first page is asked for with ``position`` 0 and
``calculateTotal``, the next ones with ``anchor`` and ``anchorOffset`` 1; whatever is asked for otherwise may come in
another order, or twice.
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
    What a query says.

    Attributes:
        total: ``None`` if it was not asked for.
        limit: The number of ids that the server cut the answer to, or ``None``.
    """

    ids: list[str]
    total: _Count | None = None
    limit: _Count | None = None


found_decoder = msgspec.json.Decoder(Found)


class Page(NamedTuple):
    """
    One page.

    Attributes:
        ids: Those that no earlier page had.
        answers: Where the result of *get* is, if objects were asked for.
    """

    ids: Sequence[str]
    answers: MethodResponses
    get: Call


class Cursor:
    """
    The pages of one query, in its order.

    With *properties* each page's objects are got along with their ids. *by_position* is for servers whose anchors do
    not work. Attributes:

        ended: There is no further page.
        total: How many the query finds, told by the first page; ``None`` before it.
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
        """The next page; empty after the last."""
        query = Call("q", f"x:{self._kind}/query", {**self._arguments, **self._place(), "limit": self._rows})
        get = Call("g", f"x:{self._kind}/get", {"#ids": query.ids(), "properties": self._properties})
        answers = await self._api.ask([query, get] if self._properties else [query])
        try:
            found = answers.result(query, found_decoder)
        except AnchorGone:
            # The anchor was purged. What went before it moved the rest forward: a page is read again.
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
