"""Handles the requests of the HTTP listener in the JMAP generation, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from exporter.simulator.common import responses as answers
from exporter.simulator.common.live_hub import LiveHub
from exporter.simulator.common.live_tokens import LiveTokens
from exporter.simulator.common.parameters import Request
from exporter.simulator.common.probes import delivery_stream
from exporter.simulator.common.prometheus import render
from exporter.simulator.common.responses import Answer, Forbidden, NotFound, encode
from exporter.simulator.jmap import documents as jmap_documents
from exporter.simulator.jmap.live import open_metrics, open_traces
from exporter.simulator.jmap.methods import Batch, parse
from exporter.simulator.jmap.permissions import may
from exporter.simulator.world.accounts import api_keys as jmap_auth
from exporter.simulator.world.accounts.auth import parse_authorization
from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.telemetry.names import printed_name
from exporter.simulator.world.values import Keys
from exporter.simulator.world.world import World

HEALTHY = encode({"detail": "OK", "status": 200, "title": "OK", "type": "about:blank"})
METADATA = 'resource_metadata="/.well-known/oauth-protected-resource"'
CHALLENGES = (
    ("www-authenticate", f'Bearer realm="Stalwart Server", {METADATA}'),
    ("www-authenticate", 'Basic realm="Stalwart Server"'),
)
TYPE_CHECKED_SINCE = (0, 16, 10)
TELLS_RATE_SINCE = (0, 16, 7)
ERROR = "urn:ietf:params:jmap:error:"
HARMLESS_ACTIONS = (b'"@type":"ClassifySpam"', b'"@type":"TroubleshootDmarc"')
LIVE = {"metrics": "liveMetrics", "tracing": "liveTracing"}
TOO_LARGE = "The size of the request exceeds the maximum size that the server is willing to process."
TOO_MANY_CALLS = "The request exceeds the maximum number of calls in a single request."
TOO_MANY_REQUESTS = "The request exceeds the maximum number of concurrent requests."


class Refused(Exception):
    """The request was answered before its method was reached."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def is_jmap(method: str, path: str) -> bool:
    """Return whether a request carries method calls."""
    return method == "POST" and path in ("/jmap", "/jmap/")


def changes_something(method: str, path: str, body: bytes) -> bool:
    """Return whether a request would change what no monitor may change."""
    return is_jmap(method, path) and b'/set"' in body and not any(action in body for action in HARMLESS_ACTIONS)


def limit_problem(limit: str, detail: str) -> Answer:
    """Return the response to a violated protocol limit; JMAP errors have no title."""
    return _untitled(f"{ERROR}limit", detail, limit=limit)


def _untitled(kind: str, detail: str, **members: str) -> Answer:
    body = encode({"type": kind, "status": 400, "detail": detail, **members})
    return Answer(400, body, answers.PROBLEM)


@dataclass(slots=True)
class JmapApi:
    """
    Routes, authenticates and answers requests; each request also raises events in the world.

    Attributes:
        tokens, live: Shared with the REST API of the same server.
    """

    world: World
    tokens: LiveTokens
    live: LiveHub

    def route(self, request: Request) -> Answer:
        """Return the response to one request. Raises `Forbidden` and `NotFound`."""
        try:
            return self._route(request)
        except Refused as refused:
            return refused.answer

    def _raise(self, request: Request, event_id: str, keys: Keys | None = None) -> None:
        self.world.journal.raise_event(event_id, keys, request.span)

    def _route(self, request: Request) -> Answer:
        profile = self.world.profile
        if is_jmap(request.method, request.path):
            return self._jmap(request)
        if request.method != "GET":
            raise NotFound
        match request.path.split("/")[1:]:
            case ["jmap", "session"]:
                account = self._log_in(request) if request.authorization else None
                return Answer(200, encode(jmap_documents.session(profile, account)))
            case [".well-known", "jmap"]:
                return Answer(307, b"", "text/plain", (("location", "/jmap/session"),))
            case ["healthz", "live" | "ready"]:
                self._allow_anonymous(request)
                return Answer(200, HEALTHY, answers.PROBLEM)
            case ["metrics", "prometheus"] if profile.native_page:
                return self._native_page(request)
            case ["api", "account"]:
                return Answer(200, encode(jmap_documents.account(profile, self._log_in(request))))
            case ["api", "schema", *rest]:
                return self._schema(request, rest)
            case ["api", "token", ("metrics" | "tracing") as kind] if profile.enterprise:
                self._require(self._log_in(request), LIVE[kind])
                return Answer(200, self.tokens.issue(self.world, kind).encode(), "", (("cache-control", "no-cache"),))
            case ["api", "live", "delivery", target]:
                self._require(self._log_in(request), "liveDeliveryTest")
                return delivery_stream(self.world, request, unquote(target))
            case ["api", "live", ("metrics" | "tracing") as kind] if profile.enterprise:
                return self._stream(request, kind)
        raise NotFound

    def _require(self, account: Account, permission: str) -> None:
        if not may(account, permission):
            raise Forbidden(permission)

    def _allow_anonymous(self, request: Request) -> None:
        if not self.world.gate.allows_anonymous(request.ip):
            raise Refused(self._rate_limited(request))

    def _rate_limited(self, request: Request) -> Answer:
        self._raise(request, "limit.too-many-requests")
        plain = answers.rate_limited()
        wait = 60 - int(self.world.now()) % 60
        headers = [("retry-after", str(wait))]
        if self.world.profile.release >= TELLS_RATE_SINCE:
            most = self.world.profile.account_per_minute
            headers += [("ratelimit-policy", f'"requests";q={most}'), ("ratelimit", f'"requests";r=0;t={wait}')]
        return Answer(plain.status, plain.body, plain.content_type, tuple(headers))

    def _unauthorized(self) -> Answer:
        return answers.problem(401, "Unauthorized", "You have to authenticate first.", CHALLENGES)

    def _log_in(self, request: Request) -> Account:
        """Return the caller. Raises `Refused` and `Forbidden`."""
        gate = self.world.gate
        given = parse_authorization(request.authorization)
        outcome = jmap_auth.log_in(gate, self.world.directory, given, request.ip)
        if outcome == "rate-limited":
            raise Refused(self._rate_limited(request))
        if isinstance(outcome, str):
            self._raise(request, "auth.failed")
            if outcome == "banned":
                self.world.ban(request.ip)
                raise Refused(answers.banned())
            raise Refused(self._unauthorized())
        if not may(outcome, "authenticate"):
            raise Forbidden("authenticate")
        limited = not may(outcome, "unlimitedRequests")
        if limited and not gate.allows_account(outcome):
            raise Refused(self._rate_limited(request))
        if limited and request.crowded:
            self._raise(request, "limit.concurrent-request")
            raise Refused(limit_problem("maxConcurrentRequests", TOO_MANY_REQUESTS))
        request.account = outcome
        return outcome

    def _jmap(self, request: Request) -> Answer:
        account = self._log_in(request)
        self._raise(
            request, "http.request-body", request.log_keys() if self.world.journal.logs("http.request-body") else None
        )
        typed = request.content_type.partition(";")[0].strip().lower()
        if typed not in ("", "application/json") and self.world.profile.release >= TYPE_CHECKED_SINCE:
            return _untitled(f"{ERROR}notJSON", "The content type of the request was not application/json.")
        if len(request.body) > jmap_documents.MAX_REQUEST_BYTES:
            return limit_problem("maxSizeRequest", TOO_LARGE)
        envelope = parse(request.body)
        if envelope is None:
            return _untitled(f"{ERROR}notRequest", request.body.decode("utf-8", "replace"))
        request.calls = tuple(name for name, _, _ in envelope.method_calls)
        if len(envelope.method_calls) > jmap_documents.MAX_CALLS:
            return limit_problem("maxCallsInRequest", TOO_MANY_CALLS)
        for _ in envelope.method_calls:
            self._raise(request, "jmap.method-call")
        return Answer(200, encode(Batch(self.world, account).answer(envelope)))

    def _stream(self, request: Request, kind: str) -> Answer:
        parameters = request.parameters
        if not self.tokens.opens(parameters.text("token"), kind, self.world.now()):
            self._require(self._log_in(request), LIVE[kind])
        return open_metrics(self.live, parameters) if kind == "metrics" else open_traces(self.live, parameters)

    def _schema(self, request: Request, rest: list[str]) -> Answer:
        self._log_in(request)
        profile = self.world.profile
        fingerprint = jmap_documents.schema_hash(profile)
        if not rest:
            return Answer(302, b"", "text/plain", (("location", f"/api/schema/{fingerprint}"),))
        if rest != [fingerprint]:
            raise NotFound
        headers = (("content-encoding", "gzip"), ("cache-control", "public, max-age=31536000, immutable"))
        packed = jmap_documents.packed_schema(repaired=not profile.misnamed_counters)
        return Answer(200, packed, "application/json", headers)

    def _native_page(self, request: Request) -> Answer:
        profile = self.world.profile
        if profile.native_login is not None:
            given = parse_authorization(request.authorization)
            if given.scheme != "basic" or (given.name, given.secret) != profile.native_login:
                self._raise(request, "auth.failed")
                return self._unauthorized()
        page = render(
            self.world.journal.counters,
            enterprise=profile.enterprise,
            correct=profile.correct_histograms,
            alphabetical=True,
            name=lambda event_id: printed_name(event_id, misnamed=profile.misnamed_counters),
        )
        return Answer(200, page.encode(), "text/plain; version=0.0.4")
