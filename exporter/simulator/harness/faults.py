"""Faults that are injected between a request and its response, by path and count."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from exporter.simulator.common import responses as answers
from exporter.simulator.common.responses import Answer


class FaultKind(StrEnum):
    """The kinds of faults."""

    DELAY = "delay"
    HANG = "hang"
    CLOSE = "close"
    CUT = "cut"
    GARBAGE = "garbage"
    DRIP = "drip"
    TRUNCATED_JSON = "truncated-json"
    WRONG_TYPES = "wrong-types"
    STATUS = "status"
    BAN_WARNING = "ban-warning"
    ERROR_200 = "error-200"
    HUGE = "huge"
    HTML = "html"
    REDIRECT = "redirect"
    EMPTY = "empty"
    BODY = "body"
    TOKEN_EXPIRED = "token-expired"
    STREAM_CUT = "stream-cut"
    STREAM_END = "stream-end"
    STREAM_SILENCE = "stream-silence"
    STREAM_DUPLICATE = "stream-duplicate"
    STREAM_GARBAGE = "stream-garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One fault.

    Attributes:
        path: Shell-style pattern for the path, without the query.
        query: Text that the query must contain.
        skip: Matching requests that succeed before the fault takes effect.
        times: How often the fault takes effect; None until it is removed.
        seconds: Length of a delay, or between two bytes of a drip.
        status: Status of `status`, `html`, `redirect`, `empty` and `body`.
        error: Tag of `error-200`.
        body: Text of `html`, `body`, `garbage` and `stream-garbage`; the target of a redirect.
        messages: Messages of a live stream that are sent before the fault takes effect; it then affects all others.
    """

    kind: FaultKind
    path: str = "*"
    method: str = "*"
    query: str = ""
    skip: int = 0
    times: int | None = None
    seconds: float = 0.0
    status: int = 0
    megabytes: float = 1.0
    error: str = "other"
    body: str = ""
    messages: int = 0
    content_type: str = answers.JSON

    def matches(self, method: str, path: str, query: str) -> bool:
        """Return whether the fault applies to a request."""
        return self.method in ("*", method) and fnmatchcase(path, self.path) and self.query in query

    def replacement(self) -> Answer | None:
        """Return the response that replaces the server's; None if the server's is used."""
        match self.kind:
            case FaultKind.STATUS:
                return _status_answer(self.status or 500)
            case FaultKind.TOKEN_EXPIRED:
                return answers.unauthorized(challenge=False)
            case FaultKind.BAN_WARNING:
                return answers.banned()
            case FaultKind.ERROR_200:
                return answers.management_error(self.error, details=self.body or "Something failed", reason=None)
            case FaultKind.HTML:
                page = self.body or "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
                return Answer(self.status or 502, page.encode(), "text/html")
            case FaultKind.REDIRECT:
                target = self.body or "https://login.example.test/"
                return Answer(self.status or 302, b"", "text/html", (("location", target),))
            case FaultKind.EMPTY:
                return Answer(self.status or 200, b"")
            case FaultKind.BODY:
                return Answer(self.status or 200, self.body.encode(), self.content_type)
            case FaultKind.HUGE:
                return Answer(self.status or 200, b'{"data":{"items":[0', stream=_huge(self.megabytes))
        return None

    def spoil(self, answer: Answer) -> Answer:
        """Return the server's response with the fault applied."""
        match self.kind:
            case FaultKind.TRUNCATED_JSON:
                return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.content_type, answer.headers)
            case FaultKind.WRONG_TYPES if "json" in answer.content_type:
                body = answers.encode(_scramble(msgspec.json.decode(answer.body)))
                return Answer(answer.status, body, answer.content_type, answer.headers)
        return answer


def _status_answer(status: int) -> Answer:
    known = {
        401: answers.unauthorized(challenge=False),
        403: answers.forbidden(),
        404: answers.not_found(),
        429: answers.rate_limited(),
        503: answers.problem(503, "Service Unavailable", "The server is not ready."),
    }
    return known.get(status) or answers.problem(status, "Internal Server Error", "There was a problem.")


async def _huge(megabytes: float) -> Any:
    chunk = b",0" * 32_768
    for _ in range(max(int(megabytes * 16), 1)):
        yield chunk
    yield b'],"total":1}}'


def _scramble(value: Any) -> Any:
    """Return the same keys with values of other types."""
    match value:
        case dict():
            return {key: _scramble(inner) for key, inner in value.items()}
        case list():
            return [_scramble(inner) for inner in value]
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case str():
            return 7
        case _:
            return []


@dataclass(slots=True)
class _Armed:
    fault: Fault
    skipped: int = 0
    struck: int = 0


@dataclass(slots=True)
class FaultBox:
    """Faults in the order in which they were added; the first that matches and is not used up takes effect."""

    _armed: dict[int, _Armed] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, kind: FaultKind | str, path: str = "*", **settings: Any) -> int:
        """Add a fault, with keywords of `Fault`; return the number by which it is removed."""
        number = next(self._numbers)
        self._armed[number] = _Armed(Fault(kind=FaultKind(kind), path=path, **settings))
        return number

    def remove(self, number: int) -> int:
        """Remove one fault; return how often it took effect."""
        armed = self._armed.pop(number, None)
        return armed.struck if armed is not None else 0

    def clear(self) -> None:
        """Remove all faults."""
        self._armed.clear()

    def struck(self, number: int) -> int:
        """Return how often an active fault took effect."""
        return self._armed[number].struck

    def take(self, method: str, path: str, query: str) -> Fault | None:
        """Return the fault that affects this request, and count it."""
        for armed in tuple(self._armed.values()):
            fault = armed.fault
            if not fault.matches(method, path, query) or (fault.times is not None and armed.struck >= fault.times):
                continue
            if armed.skipped < fault.skip:
                armed.skipped += 1
                continue
            armed.struck += 1
            return fault
        return None
