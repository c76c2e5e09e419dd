"""
A plain HTTP server that answers as a recorded server of v0.16 did.

Nothing of the stand-in server is in it: rows are those of a recording (or a test's own), and methods are answered by
the contract: its paging with the fast path that reads from the wrong end, its properties, its limits, its errors.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.paths import RECORDINGS
from tests.support.replays.jmap_http import Response, document, problem

RECORDING = RECORDINGS / "jmap-0.16.18"
ALPHABET = "abcdefghijklmnopqrstuvwxyz792013"

WATCHER_KEY = "API_AAAABwAAAAHlab-watcher"
NARROW_KEY = "API_AAAABwAAAAJlab-narrow"
LOGINS = {
    f"Bearer {WATCHER_KEY}": "watcher",
    f"Bearer {NARROW_KEY}": "narrow",
    "Basic " + base64.b64encode(b"watcher@example.test:lab-watcher-secret").decode(): "watcher",
    "Basic " + base64.b64encode(b"watcher:lab-watcher-secret").decode(): "watcher",
    "Basic " + base64.b64encode(b"prometheus:lab-prometheus-secret").decode(): "prometheus",
}
NOT_FOUND = {
    "type": "about:blank",
    "status": 404,
    "title": "Not Found",
    "detail": "The requested resource does not exist on this server.",
}
UNAUTHORIZED = {
    "type": "about:blank",
    "status": 401,
    "title": "Unauthorized",
    "detail": "You have to authenticate first.",
}
TELEMETRY = {"Metric", "Trace"}


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    at: float
    identity: str
    method: str
    path: str
    status: int
    calls: Sequence[Any] = ()


@dataclass(frozen=True)
class MethodError(Exception):
    """One method fails."""

    type: str
    description: str | None = None


def number_of(id_: str) -> int:
    """The number behind an id."""
    number = 0
    for sign in id_:
        number = number * 32 + ALPHABET.index(sign)
    return number


def id_of(number: int) -> str:
    """An id."""
    return (id_of(number // 32) if number >= 32 else "") + ALPHABET[number % 32]


def due_of(message: Mapping[str, Any]) -> str:
    """When the server looks at a message next: the earliest retry, notice or expiry of a recipient that waits."""
    moments = []
    for recipient in message["recipients"].values():
        if recipient["status"]["@type"] in ("Scheduled", "TemporaryFailure"):
            moments += [recipient["retryDue"], recipient["notifyDue"], recipient["expires"].get("expiresAt")]
    return min((moment for moment in moments if moment), default=message["createdAt"])


@dataclass
class JmapServer:
    """
    A server of v0.16.

    Attributes:
        rows: Its objects by type; log lines newest first.
        asked: What it was asked.
        before: Called before each batch of methods, with how many there were before.
        anchors_work: Not before v0.16.4.
        schema: Its schema's enumerations; ``None`` answers 404.
    """

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    native: bytes = b""
    account: dict[str, Any] = field(default_factory=dict)
    session: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=lambda: {"calls": 16, "objects": 500, "query": 5000})
    schema: dict[str, Any] | None = None
    fingerprint: str = "Abc-123_fingerprint"
    anchors_work: bool = True
    error: dict[str, MethodError] = field(default_factory=dict)
    before: Callable[[int], None] = lambda number: None
    asked: list[Asked] = field(default_factory=list)
    batches: int = 0

    @classmethod
    def recorded(cls) -> JmapServer:
        """The recorded server."""
        server = cls(native=(RECORDING / "native.txt").read_bytes())
        for row in json.loads((RECORDING / "exchanges.json").read_text()):
            if row["as"] == "watcher" and row["path"] == "/jmap/session":
                server.session = row["body"]
            if row["as"] == "watcher" and row["path"] == "/api/account":
                server.account = row["body"]
            if row["as"] == "watcher" and isinstance(row["body"], dict):
                for method, result, _ in row["body"].get("methodResponses", []):
                    listed = result["list"] if method.endswith("/get") else []
                    if len(listed) > len(server.rows.get(method[2:-4], ())):
                        server.rows[method[2:-4]] = listed
        return server

    def respond(self, login: str | None, method: str, path: str, body: bytes) -> Response:
        """Status, headers and body; *login* is the value of ``Authorization``."""
        identity = "none" if login is None else LOGINS.get(login, "wrong")
        refused = identity == "wrong" and path in ("/jmap/session", "/api/account", "/jmap/", "/api/schema")
        response = problem(UNAUTHORIZED) if refused else self.answer(identity, method, path, body)
        calls = json.loads(body)["methodCalls"] if body and path == "/jmap/" else ()
        self.asked.append(Asked(time.monotonic(), identity, method, path, response[0], calls))
        return response

    def answer(self, identity: str, method: str, path: str, body: bytes) -> Response:
        """Status, headers and body."""
        if path == "/metrics/prometheus":
            if identity != "prometheus":
                return problem(UNAUTHORIZED)
            return 200, {"content-type": "text/plain; version=0.0.4"}, self.native
        if path == "/jmap/session" and identity == "none":
            return document({**self.session, "accounts": {}, "primaryAccounts": {}, "username": ""})
        routes = {"/jmap/session", "/api/account", "/jmap/"} | ({"/api/schema"} if self.schema is not None else set())
        if path not in routes and not (self.schema is not None and path.startswith("/api/schema/")):
            return problem(NOT_FOUND)
        if identity in ("none", "wrong", "prometheus"):
            return problem(UNAUTHORIZED)
        if path == "/jmap/session":
            return document(self.session)
        if path == "/api/account":
            return document(self.account_of(identity))
        if path == "/api/schema":
            return 302, {"location": f"/api/schema/{self.fingerprint}"}, b""
        if path.startswith("/api/schema/"):
            packed = gzip.compress(json.dumps({"enums": self.schema, "objects": {}}).encode())
            return 200, {"content-type": "application/json", "content-encoding": "gzip"}, packed
        return self.methods(identity, json.loads(body))

    def account_of(self, identity: str) -> dict[str, Any]:
        """What a key may do."""
        narrow = {**self.account, "permissions": ["authenticate", "sysQueuedMessageQuery"]}
        return narrow if identity == "narrow" else self.account

    def methods(self, identity: str, request: Any) -> Response:
        """A batch of method calls."""
        if set(request["using"]) - {"urn:ietf:params:jmap:core", "urn:stalwart:jmap"}:
            return problem({"type": "urn:ietf:params:jmap:error:notRequest", "status": 400, "detail": "?"})
        if len(request["methodCalls"]) > self.limits["calls"]:
            return problem({"type": "urn:ietf:params:jmap:error:limit", "status": 400, "limit": "maxCallsInRequest"})
        self.before(self.batches)
        self.batches += 1
        results: dict[str, Any] = {}
        responses = []
        for name, arguments, id_ in request["methodCalls"]:
            try:
                results[id_] = self.call(identity, name, dict(arguments), results)
                responses.append([name, results[id_], id_])
            except MethodError as error:
                said = {"type": error.type} | ({} if error.description is None else {"description": error.description})
                responses.append(["error", said, id_])
        return document({"methodResponses": responses, "sessionState": "fe00b35c"})

    def call(self, identity: str, name: str, arguments: dict[str, Any], results: Mapping[str, Any]) -> Any:
        """One method."""
        kind, _, verb = name.removeprefix("x:").partition("/")
        if f"sys{kind}{verb.capitalize()}" not in self.account_of(identity)["permissions"]:
            raise MethodError("forbidden", "You are not authorized to perform this action")
        if kind in TELEMETRY and self.account["edition"] != "enterprise":
            raise MethodError("forbidden", "This feature is only available in the Enterprise edition.")
        if name in self.error:
            raise self.error[name]
        if verb == "query":
            return self.query(kind, arguments)
        if "#ids" in arguments:
            found = results.get(arguments["#ids"]["resultOf"])
            if found is None:
                raise MethodError("invalidResultReference", "not found")
            arguments["ids"] = found["ids"]
        return self.get(kind, arguments)

    def get(self, kind: str, arguments: Mapping[str, Any]) -> Any:
        """The objects of some ids."""
        rows = {row["id"]: row for row in self.rows.get(kind, [])}
        ids = arguments["ids"] if arguments["ids"] is not None else list(rows)[: self.limits["objects"]]
        if len(ids) > self.limits["objects"]:
            raise MethodError("requestTooLarge", "too many")
        wanted = set(arguments.get("properties") or ())
        found = [rows[id_] for id_ in ids if id_ in rows]
        if any(wanted & set(row) for row in found):
            found = [{name: value for name, value in row.items() if name in wanted | {"id"}} for row in found]
        return {"accountId": "h", "list": found, "notFound": [id_ for id_ in ids if id_ not in rows]}

    def query(self, kind: str, arguments: dict[str, Any]) -> Any:
        """The ids that a query finds, in the order in which it reads them."""
        if kind == "Log":
            return self.query_log(arguments)
        known = {"filter", "sort", "position", "anchor", "anchorOffset", "limit", "calculateTotal"}
        assert set(arguments) <= known, arguments
        rows = self.filtered(kind, arguments.get("filter") or {})
        sort = (arguments.get("sort") or [{}])[0]
        ascending = sort.get("isAscending", bool(sort))
        by_id = kind not in ("QueuedMessage", "Metric", "Trace") and sort.get("property", "id") == "id"
        by_id = by_id or (kind in ("Metric", "Trace") and sort.get("property", "id") == "id")
        counted, offset = arguments.get("calculateTotal", False), arguments.get("anchorOffset", 0)
        position = arguments.get("position")
        key: Callable[[Any], Any] = lambda row: number_of(row["id"])  # noqa: E731 - one line says it
        if kind == "QueuedMessage":
            key = lambda row: (due_of(row), number_of(row["id"]))  # noqa: E731 - one line says it
        ids = [row["id"] for row in sorted(rows, key=key)]
        limit = min(arguments.get("limit") or self.limits["query"], self.limits["query"])
        if by_id and not counted and (position is None or position > 0) and not offset:
            if "anchor" in arguments:
                ids = [id_ for id_ in ids if number_of(id_) > number_of(arguments["anchor"])]
            page = ids[position or 0 : (position or 0) + limit]
            return {"ids": page if ascending else page[::-1], "position": position or 0}
        ids = ids if ascending else ids[::-1]
        return self.page(kind, arguments, ids, limit)

    def page(self, kind: str, arguments: Mapping[str, Any], ids: list[str], limit: int) -> Any:
        """A page in the right order."""
        start = arguments.get("position", 0)
        total = len(ids)
        if "anchor" in arguments:
            if not self.anchors_work:
                start = 0
            elif arguments["anchor"] not in ids:
                raise MethodError("anchorNotFound")
            else:
                at = ids.index(arguments["anchor"])
                start = at + arguments.get("anchorOffset", 0)
                total = total - at if kind == "QueuedMessage" else total
        page = ids[start : start + limit]
        answer = {"accountId": "h", "queryState": "n", "canCalculateChanges": True, "position": start, "ids": page}
        if arguments.get("calculateTotal"):
            answer["total"] = total
        if len(page) < total:
            answer["limit"] = limit
        return answer

    def filtered(self, kind: str, conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows for which all *conditions* hold."""
        rows = self.rows.get(kind, [])
        for name, wanted in conditions.items():
            if name == "timestampIsGreaterThanOrEqual":
                rows = [row for row in rows if row["timestamp"] >= wanted]
            elif name == "timestampIsGreaterThan":
                rows = [row for row in rows if row["timestamp"] > wanted]
            elif name == "timestampIsLessThan":
                rows = [row for row in rows if row["timestamp"] < wanted]
            elif name == "metric" and isinstance(wanted, list):
                rows = [row for row in rows if row["metric"] in wanted]
            elif name == "event":
                rows = [row for row in rows if row["events"]["0"]["event"] == wanted]
            elif name == "status" and kind == "Task":
                rows = [row for row in rows if wanted != "Failed" or row["status"]["@type"] == "Failed"]
            elif name == "dueIsLessThan":
                rows = [row for row in rows if row.get("due", "9999") < wanted]
            elif name == "@type":
                rows = [row for row in rows if row["@type"] == wanted]
            else:
                raise MethodError("unsupportedFilter", name)
        return rows

    def query_log(self, arguments: Mapping[str, Any]) -> Any:
        """Lines, newest first; only anchors page, and they are not part of the page."""
        if arguments.get("position"):
            raise MethodError("invalidArguments", "Pagination is only possible using anchors for logs")
        ids = [row["id"] for row in self.rows.get("Log", [])]
        anchor = arguments.get("anchor")
        if anchor is not None:
            ids = ids[ids.index(anchor) + 1 :] if anchor in ids else []
        limit = min(arguments.get("limit") or self.limits["query"], self.limits["query"])
        return {"ids": ids[:limit], "position": 0, "total": self.limits["query"]}
