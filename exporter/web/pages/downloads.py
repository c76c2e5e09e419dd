"""Exports as files, read and sent piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.responses import Response, StreamingResponse

from exporter.history.exports import FORMATS, Exported, pieces
from exporter.history.filters import Options
from exporter.store.reading import History
from exporter.web.pages.reading import history_of
from exporter.web.pages.visit import Visit

FORMAT = "format"

_TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
}


def format_of(options: Options) -> str:
    """Return the wanted format; raises `FilterError`."""
    return options.one_of(FORMAT, FORMATS) or "json"


async def download(visit: Visit, exported: Callable[[History], Exported], *, name: str, fmt: str) -> Response:
    """
    Return a file with everything that *exported* yields.

    The first piece is read before the response begins, so that a history that cannot be read is reported as such.
    """
    stream = history_of(visit).stream(lambda history: pieces(exported(history), fmt))
    first = await anext(stream, "")

    async def body() -> AsyncIterator[str]:
        try:
            yield first
            async for piece in stream:
                yield piece
        finally:
            await stream.aclose()

    return StreamingResponse(
        body(),
        headers={
            "Content-Type": _TYPES[fmt],
            "Content-Disposition": f'attachment; filename="{name}.{fmt}"',
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
