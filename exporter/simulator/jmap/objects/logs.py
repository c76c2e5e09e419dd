"""`x:Log`: lines identified by file and byte offset, newest first; anchors are the only way to page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.simulator.jmap.query import MAX_RESULTS, answer, conditions, parse_paging
from exporter.simulator.jmap.wire import Json, MethodError
from exporter.simulator.world.ids import decode_id, encode_id
from exporter.simulator.world.telemetry.logs import parse_line, without_colours
from exporter.simulator.world.world import World

FILE_SHIFT = 48
LEVELS_SINCE = (0, 16, 3)
NO_FILES = "No log tracer with a path is configured"
ONLY_ANCHORS = "Pagination is only possible using anchors for logs"


def query(world: World, arguments: Mapping[str, Any]) -> Json:
    """Return the ids of matching lines; the total is merely the server's maximum."""
    _require_files(world)
    text = ""
    for key, value in conditions(arguments.get("filter")):
        if key != "text" or not isinstance(value, str):
            raise MethodError("unsupportedFilter", key)
        text = value
    paging = parse_paging(arguments)
    if paging.position:
        raise MethodError("invalidArguments", ONLY_ANCHORS)
    found: list[int] = []
    for number, start, line in world.journal.log.places(_anchor(paging.anchor)):
        if text in line and parse_line(without_colours(line)) is not None:
            found.append(number << FILE_SHIFT | start)
            if len(found) == paging.most:
                break
    limit = paging.limit if paging.limit is not None and paging.limit < MAX_RESULTS else None
    return answer(found, total=MAX_RESULTS if paging.total else None, limit=limit)


def _require_files(world: World) -> None:
    if not world.profile.log_files:
        raise MethodError("invalidArguments", NO_FILES)
    if world.profile.log_directory_missing:
        raise MethodError("serverUnavailable")


def _anchor(anchor: str | None) -> tuple[int, int] | None:
    if anchor is None:
        return None
    number = decode_id(anchor)
    # No line begins before the first byte: an invalid anchor finds nothing, like one that no longer exists.
    return _place(number) if number is not None else (0, -1)


def _place(number: int) -> tuple[int, int]:
    return number >> FILE_SHIFT, number & (1 << FILE_SHIFT) - 1


def get(world: World, number: int) -> Json | None:
    """Return one line, without its id; None if no line begins there."""
    _require_files(world)
    line = world.journal.log.line_at(*_place(number))
    entry = parse_line(without_colours(line)) if line is not None else None
    if entry is None:
        return None
    level = entry["level"].lower() if world.profile.release >= LEVELS_SINCE else "info"
    return {
        "timestamp": entry["timestamp"],
        "level": level,
        "event": entry["event_id"],
        "details": entry["details"],
    }


def newest(world: World, most: int) -> list[str]:
    """Return the ids for a call without ids."""
    _require_files(world)
    places = world.journal.log.places()
    return [encode_id(number << FILE_SHIFT | start) for (number, start, _), _ in zip(places, range(most), strict=False)]
