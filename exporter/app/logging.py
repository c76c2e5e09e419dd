"""Structured logs: JSON on stderr, or coloured lines if stderr is a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

NUMBERS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logging(*, level: str, style: str) -> None:
    """
    Log our own events to stderr from *level* on, and those of libraries from ``warning`` on.

    *style* is ``json``, ``console``, or ``auto``: console if stderr is a terminal.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        without_empty_fields,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(NUMBERS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # These libraries may log addresses and header values.
    for name in ("httpx", "httpcore", "websockets", "asyncio", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.ERROR)


def without_empty_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop the fields without content from a structlog event; 0 and false stay."""
    return {key: value for key, value in event.items() if value not in (None, "", (), [], {})}
