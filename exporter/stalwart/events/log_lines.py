"""
Parsing of the server's log lines, from either management API.

Contract: Stalwart v0.10-v0.16; tests/recordings/*/exchanges.json, ``/api/logs`` and ``x:Log``. Details are parsed only
for events that affect a metric.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Protocol

import msgspec

from exporter.clock import whole_second
from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent, LogLine
from exporter.stalwart.events.log_details import DEFAULT_QUEUE, DetailsReader
from exporter.stalwart.events.names import canonical_event
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS, OUTCOME_EVENTS
from exporter.stalwart.events.trail.kinds import DETAILED_EVENTS
from exporter.stalwart.http.responses import decoding_problem

STARTUP = "server.startup"
RESPONSE_BODY = "http.response-body"
"""The event of a logged HTTP response; a tracer at level ``trace`` logs each one in full."""

_REST_ANSWER, _JMAP_ANSWER = '{"data":{"items":[{"timestamp":"', '{"methodResponses":[["x:Log/'
"""The starts of responses that contain log lines; any event may quote them."""

STARTUP_TEXT = f"({STARTUP})"
"""A text in every line about a server start; the server can search its log only by text."""

STARTUP_LINES = 10
"""The lines to request, since others may quote the text. The server reads its log back until it has found as many."""

_Aware = Annotated[datetime, msgspec.Meta(tz=True)]
_LEVELS = {name: name.lower() for name in ("ERROR", "WARN", "INFO", "DEBUG", "TRACE")}
_LEVELS |= {name: name for name in _LEVELS.values()}

_ADDRESS = r"remoteIp = [0-9a-fA-F.:]+"
_LISTENER = re.compile(
    rf'listenerId = "(?P<listener>[^"]*)", localPort = (?P<port>[0-9]{{1,5}}), {_ADDRESS}, remotePort = [0-9]+(?:, |\Z)'
)
_ACCOUNT = re.compile(
    rf'(?:{_ADDRESS}, )?accountName = "(?P<account>.*?)"(?=\Z|, (?:accountId|type|id|details|remoteIp) = )', re.DOTALL
)
_VERSION = re.compile(r'(?:hostname = "[^"]*", )?version = "(?P<version>[0-9A-Za-z.+-]{1,32})"\Z')


class RawLine(Protocol):
    """A line as the server sends it; each generation has its own class."""

    @property
    def timestamp(self) -> str: ...

    @property
    def level(self) -> str: ...

    @property
    def event_id(self) -> str: ...

    @property
    def details(self) -> str: ...


def parse_log_lines(raw: Sequence[RawLine], path: str) -> list[LogLine]:
    """
    Parse one page of lines, in order; a line may resolve an ambiguity in another.

    Raises `PayloadError` for an invalid timestamp, with its place below *path*.
    """
    details = DetailsReader(lambda: _events_and_details(raw))
    moments: dict[str, datetime] = {}
    lines = []
    for index, line in enumerate(raw):
        at = moments.get(line.timestamp)
        if at is None:
            at = moments[line.timestamp] = _moment(line.timestamp, f"{path}[{index}].timestamp")
        lines.append(_read(at, line, details))
    return lines


def newest_version(lines: Sequence[LogLine]) -> str:
    """Return the version in the newest of *lines* (newest first) about a server start; empty if there is none."""
    return next((line.version for line in lines if line.version), "")


def _read(at: datetime, line: RawLine, details: DetailsReader) -> LogLine:
    level, event_id = _LEVELS.get(line.level, "unknown"), canonical_event(line.event_id) or line.event_id
    fingerprint = _fingerprint(line)
    if event_id == RESPONSE_BODY or _REST_ANSWER in line.details or _JMAP_ANSWER in line.details:
        return LogLine(at=at, level=level, event_id=event_id, fingerprint=fingerprint, quotes_response=True)
    if not line.details and (event_id in FOLLOWED_EVENTS or event_id.startswith("auth.")):
        return _bare(at, level, event_id, fingerprint)
    if event_id in FOLLOWED_EVENTS:
        event = details.delivery_event(event_id, at, line.details)
        kept = line.details if event_id in DETAILED_EVENTS else ""
        return LogLine(at=at, level=level, event_id=event_id, fingerprint=fingerprint, delivery=event, details=kept)
    if event_id.startswith("auth."):
        return _authentication(at, level, event_id, fingerprint, line.details)
    if event_id in DETAILED_EVENTS:
        return LogLine(at=at, level=level, event_id=event_id, fingerprint=fingerprint, details=line.details)
    version = _version(line.details) if event_id == STARTUP else ""
    return LogLine(at=at, level=level, event_id=event_id, fingerprint=fingerprint, version=version)


def _bare(at: datetime, level: str, event_id: str, fingerprint: int) -> LogLine:
    """Return a line without its details: an outcome is known, but not of which message."""
    event = DeliveryEvent(event_id, at, 0, DEFAULT_QUEUE) if event_id in OUTCOME_EVENTS else None
    return LogLine(at=at, level=level, event_id=event_id, fingerprint=fingerprint, delivery=event, is_bare=True)


def _authentication(at: datetime, level: str, event_id: str, fingerprint: int, details: str) -> LogLine:
    listener = _LISTENER.match(details)
    account = _ACCOUNT.match(details, listener.end() if listener else 0)
    return LogLine(
        at=at,
        level=level,
        event_id=event_id,
        fingerprint=fingerprint,
        account=account["account"] if account else "",
        listener=listener["listener"] if listener else "",
        local_port=int(listener["port"]) if listener else 0,
        details=details if event_id in DETAILED_EVENTS else "",
    )


def _version(details: str) -> str:
    found = _VERSION.match(details)
    return found["version"] if found else ""


def _fingerprint(line: RawLine) -> int:
    """Return 63 bits that are stable across restarts; counted lines are remembered by them."""
    text = f"{line.timestamp} {line.level} {line.event_id} {line.details}"
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def _events_and_details(raw: Sequence[RawLine]) -> Iterator[tuple[str, str]]:
    return ((canonical_event(line.event_id) or line.event_id, line.details) for line in raw)


def _moment(timestamp: str, path: str) -> datetime:
    """Parse a timestamp to the whole second, in UTC."""
    try:
        return whole_second(msgspec.convert(timestamp, _Aware))
    except (msgspec.ValidationError, OverflowError) as error:
        raise PayloadError(decoding_problem(error, path)) from error
