"""What the decoders are given before it is spoilt: recorded answers, and a stand-in's where nothing was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from tests.support.paths import RECORDINGS
from tests.support.worlds.hour import Hour, scripted
from tests.support.worlds.jmap_hour import jmap_scripted

REST, JMAP = ("rest-0.12.5", "rest-0.15.5"), "jmap-0.16.18"
LARGEST_BYTES = 3000
"""Long answers are cut to their first rows: what is wrong with one of a thousand is wrong with one of three."""

HOUR_SECONDS = 120


@cache
def exchanges(version: str) -> list[dict[str, Any]]:
    """The recorded exchanges with one server."""
    return list(json.loads((RECORDINGS / version / "exchanges.json").read_text()))


def rest(path: str) -> list[bytes]:
    """Good answers of both recorded REST servers to requests that begin with *path*."""
    bodies = (e["body"] for v in REST for e in exchanges(v) if e["path"].startswith(path) and e["status"] == 200)
    return _some(_shortened(body) for body in bodies)


def jmap(method: str) -> list[bytes]:
    """What a recorded JMAP server gave for *method*: the arguments of its response."""
    found = []
    for exchange in exchanges(JMAP):
        body = exchange["body"]
        if exchange["status"] == 200 and isinstance(body, dict):
            found += [given for name, given, _ in body.get("methodResponses", ()) if name == method]
    return _some(_shortened(given) for given in found)


def jmap_members(method: str) -> list[bytes]:
    """The objects in the lists that *method* gave, one by one."""
    return [json.dumps(member).encode() for given in jmap(method) for member in json.loads(given).get("list", ())]


def accounts_rest() -> list[bytes]:
    """What a recorded REST server answered about its users."""
    rows = json.loads((RECORDINGS / "ops-0.15.5" / "accounts.json").read_text())
    return _some(_shortened(row["body"]) for row in rows if row["status"] == 200)


def accounts_jmap() -> list[bytes]:
    """What a recorded JMAP server answered about its users: the arguments of its responses."""
    rows = json.loads((RECORDINGS / "ops-0.16.18" / "accounts.json").read_text())
    answers = [given for row in rows for name, given, _ in row["body"]["methodResponses"] if name == "x:Account/get"]
    return _some(_shortened(given) for given in answers)


def path_of_jmap(path: str) -> list[bytes]:
    """Good answers of the recorded JMAP server to requests beside its batches."""
    return _some(_shortened(e["body"]) for e in exchanges(JMAP) if e["path"] == path and e["status"] == 200)


def native(version: str) -> list[bytes]:
    """The server's own page of metrics, in pieces of whole families."""
    page = (RECORDINGS / version / "native.txt").read_bytes()
    families = [b"# HELP" + family for family in page.split(b"# HELP")[1:]]
    return [b"".join(families[at : at + 12]) for at in range(0, len(families), 12)]


def live(hour: Hour) -> list[bytes]:
    """Messages of a live stream of traces, the first events of each."""
    return _some(b"[" + b",".join(events[:6]) + b"]" for _, events in sorted(hour.told.items()))


def traces(hour: Hour) -> list[bytes]:
    """Stored traces, one a body."""
    return [trace.body for trace in hour.stored][:40]


def rest_hour() -> Hour:
    """Two minutes of a REST server's life."""
    return scripted(HOUR_SECONDS)


def jmap_hour() -> Hour:
    """The same of a JMAP server."""
    return jmap_scripted(HOUR_SECONDS)


def details() -> list[bytes]:
    """The details of log lines of all recorded servers."""
    logs = [json.loads(body)["data"]["items"] for body in rest("/api/logs")]
    return [line["details"].encode() for lines in logs for line in lines]


def _shortened(body: Any) -> bytes:
    """A body with at most three rows in each of its lists and objects of rows."""
    if isinstance(body, str):
        return body.encode()[:LARGEST_BYTES]
    return json.dumps(_cut(body), separators=(",", ":")).encode()


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(member) for key, member in value.items()}
    return [_cut(member) for member in value[:3]] if isinstance(value, list) else value


def _some(bodies: Iterator[bytes]) -> list[bytes]:
    """Each different one, once."""
    found: Sequence[bytes] = list(dict.fromkeys(body for body in bodies if body))
    assert found
    return list(found)
