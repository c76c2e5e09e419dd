"""Events of a delivery attempt, told as the server tells them: as log lines and as a stored trace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AT = "2026-01-15T10:30:01Z"
TITLES = {"smtp.error": "SMTP error occurred", "mail-auth.dns-error": "DNS error"}


@dataclass(frozen=True)
class Milliseconds:
    """A duration: ``3ms`` in the log, ``3`` in JSON."""

    value: int


@dataclass(frozen=True)
class Cause:
    """An event inside an event; its pairs are a list since a key may come twice."""

    id: str
    pairs: Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Told:
    """One event: its own pairs in the server's order."""

    id: str
    pairs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """What the opening event of a span says."""

    queue_id: int = 285617422336009005
    queue_name: str | None = "remote"
    sender: str = "alice@example.org"
    recipients: Sequence[str] = ("d@example.com",)
    size: int = 2816

    def pairs(self) -> dict[str, Any]:
        """In the server's order."""
        name = {} if self.queue_name is None else {"queueName": self.queue_name}
        rest = {"from": self.sender, "to": list(self.recipients), "size": self.size, "total": len(self.recipients)}
        return {"queueId": self.queue_id, **name, **rest}


def logged(attempt: Attempt, event: Told) -> str:
    """The details of a log line."""
    return _pairs([*attempt.pairs().items(), *event.pairs.items()])


def log_row(attempt: Attempt, event: Told) -> dict[str, str]:
    """A log line as the management API gives it."""
    return {"timestamp": AT, "level": "INFO", "event": "x", "event_id": event.id, "details": logged(attempt, event)}


def log_page(rows: Sequence[Mapping[str, str]]) -> bytes:
    """A page of lines that are given in order of occurrence."""
    return json.dumps({"data": {"items": list(reversed(rows)), "total": 1}}).encode()


def trace_body(attempt: Attempt, events: Sequence[Told]) -> bytes:
    """A stored trace; its first event opens the span."""
    first, *others = events
    told = [_event(first, attempt.pairs() | dict(first.pairs)), *(_event(e, e.pairs) for e in others)]
    return json.dumps({"data": told}).encode()


def _event(event: Told, pairs: Mapping[str, Any]) -> dict[str, Any]:
    data = {key: _json(value) for key, value in pairs.items() if value is not None}
    return {"createdAt": AT, "type": event.id, "text": "x", "details": "A sentence.", "data": data}


def _pairs(pairs: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(f"{key} = {_text(value)}" for key, value in pairs)


def _text(value: Any) -> str:
    match value:
        case None:
            return "(null)"
        case bool():
            return str(value).lower()
        case Milliseconds():
            return f"{value.value}ms"
        case Cause():
            return f"{TITLES[value.id]} ({value.id}) {{ {_pairs(value.pairs)} }}"
        case list() | tuple():
            return f"[{', '.join(map(_text, value))}]"
        case str():
            for sign, written in (("\\", "\\\\"), ("\r", "\\r"), ("\n", "\\n"), ("\t", "\\t")):
                value = value.replace(sign, written)
            return f'"{value}"'
        case _:
            return str(value)


def _json(value: Any) -> Any:
    match value:
        case Milliseconds():
            return value.value
        case Cause():
            data: dict[str, Any] = {}
            for key, inner in value.pairs:
                data.setdefault(key, _json(inner))
            return {"type": value.id, "text": TITLES[value.id], "details": "A sentence.", "data": data}
        case _:
            return value
