"""Recorded answers to an operator's requests, each request answered as it was when it was made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.paths import ROOT
from tests.support.servers.raw import PROBLEM, Asked, Handler, reply

Row = Mapping[str, Any]
REST, JMAP = "ops-0.15.5", "ops-0.16.18"


def rows(recording: str, identity: str = "operator") -> list[Row]:
    """The rows of an identity, in the order in which they were made."""
    text = (ROOT / "tests" / "recordings" / recording / "queue_control.json").read_text()
    return [{**row, "note": row.get("note") or ""} for row in json.loads(text) if row["as"] == identity]


def row_of(recording: str, note: str, identity: str = "operator") -> Row:
    """The only row whose note begins with *note*."""
    [found] = [row for row in rows(recording, identity) if str(row["note"] or "").startswith(note)]
    return found


def answering(*answers: Row) -> tuple[Handler, list[Any]]:
    """A handler that answers one row after the other, and what it was asked that differs from these rows."""
    waiting = list(answers)
    strange: list[Any] = []

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        row = waiting.pop(0)
        if _asked(asked) != _recorded(row):
            strange.append((_asked(asked), _recorded(row)))
        kind = row["headers"].get("content-type", PROBLEM)
        writer.write(reply(row["status"], _renamed(row["body"], asked), content_type=kind))

    return handle, strange


def _renamed(body: Any, asked: Asked) -> Any:
    """The answer with the ids that were given to the calls now."""
    if not isinstance(body, dict) or "methodResponses" not in body:
        return body
    ids = [id_ for _, _, id_ in json.loads(asked.body)["methodCalls"]]
    answers = [[name, result, id_] for (name, result, _), id_ in zip(body["methodResponses"], ids, strict=True)]
    return {**body, "methodResponses": answers}


def _asked(asked: Asked) -> Any:
    return (asked.method, asked.path, _of_interest(asked.query), _calls(json.loads(asked.body or b"{}")))


def _recorded(row: Row) -> Any:
    parts = urlsplit(row["path"])
    # A plus sign in a query is a space, also on the server.
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return (row["method"], parts.path, _of_interest(query), _calls(row.get("request") or {}))


def _of_interest(query: Mapping[str, str]) -> dict[str, str]:
    """Without what only bounds a page."""
    return {name: value for name, value in query.items() if name not in ("limit", "max-total", "range-start")}


def _calls(body: Mapping[str, Any]) -> list[Any]:
    """The calls without their own ids, and without what only chooses rows and properties."""
    left_out = ("properties", "limit", "position", "sort")
    return [
        [method, {name: value for name, value in arguments.items() if name not in left_out and name[0] != "#"}]
        for method, arguments, _ in body.get("methodCalls", [])
    ]
