"""The only place that catches every exception: a bug is logged with its traceback and becomes an ordinary failure."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import structlog

from exporter.errors import ExporterError, HistoryUnavailable, InternalError, StoreError, without_frames

log = structlog.get_logger("exporter.bugs")

T = TypeVar("T")


async def catching_bugs(work: Awaitable[T], *, server: str, task: str, reraise: bool = False) -> T:
    """
    Return the result of *work*.

    Raises `HistoryUnavailable` for a `StoreError`, and `InternalError` for anything that is not an `ExporterError`.
    With *reraise*, as in the tests, a bug is raised unchanged.
    """
    try:
        return await work
    except StoreError as error:
        raise HistoryUnavailable(f"the history cannot be used now: {error}") from without_frames(error)
    except ExporterError as error:
        raise without_frames(error)  # noqa: B904 - it is the same error
    except Exception as error:
        if reraise:
            raise
        log.exception("task.failed", server=server, task=task)
        raise InternalError(f"internal error: {type(error).__name__}") from error
