"""Handles the requests of the HTTP listener, without I/O."""

from __future__ import annotations

from exporter.simulator.common import responses as answers
from exporter.simulator.common.live_hub import LiveHub
from exporter.simulator.common.parameters import Request
from exporter.simulator.common.prometheus import render
from exporter.simulator.common.responses import Answer, Forbidden, NotFound
from exporter.simulator.jmap.api import JmapApi
from exporter.simulator.rest import other as api_other
from exporter.simulator.rest import probes as api_probes
from exporter.simulator.rest import queue as api_queue
from exporter.simulator.rest.telemetry import Telemetry
from exporter.simulator.world.accounts.auth import Refusal, parse_authorization
from exporter.simulator.world.values import Keys
from exporter.simulator.world.world import World

HEALTHY = answers.encode({"type": "about:blank", "title": "OK", "status": 200, "detail": "OK"})
JMAP_SESSION = answers.encode(
    {
        "capabilities": {"urn:ietf:params:jmap:core": {"maxConcurrentRequests": 4}},
        "accounts": {},
        "primaryAccounts": {},
        "username": "",
        "apiUrl": "/jmap/",
        "state": "0",
    }
)


class Api:
    """Routes, authenticates and answers requests; each request also raises events in the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.live = LiveHub(world)
        self.telemetry = Telemetry(streams={"metrics": self.live.metrics, "tracing": self.live.traces})
        self.jmap = JmapApi(world, self.telemetry.tokens, self.live)

    def answer(self, request: Request) -> Answer:
        """Return the server's response to one request."""
        self.world.tick()
        if self.world.journal.logs("http.request-url"):
            target = request.path + (f"?{request.query}" if request.query else "")
            self._raise(request, "http.request-url", {"url": target})
        self.world.http.login_within(request.span)
        try:
            answer = self._route(request)
        except Forbidden as error:
            self._raise(request, "security.unauthorized", {"details": error.permission})
            answer = answers.forbidden()
        except NotFound:
            self._raise(request, "resource.not-found")
            answer = answers.not_found()
        finally:
            self.world.http.login_within(None)
        self._raise(request, "http.response-body", self._response_keys(answer))
        return answer

    def _response_keys(self, answer: Answer) -> Keys:
        """Return what the log records of a response: everything, unless it is a stream or not text."""
        if not self.world.journal.logs("http.response-body"):
            return {}
        packed = any(name == "content-encoding" for name, _ in answer.headers)
        contents = "[stream]" if answer.stream else "[binary data]" if packed else answer.body.decode()
        return {"contents": contents, "code": answer.status, "size": len(answer.body)}

    def _raise(self, request: Request, event_id: str, keys: Keys | None = None) -> None:
        self.world.journal.raise_event(event_id, keys, request.span)

    def _route(self, request: Request) -> Answer:
        if self.world.profile.jmap:
            return self.jmap.route(request)
        if request.path.startswith("/api/"):
            if request.method == "OPTIONS":
                return Answer(204, b"")
            return self._authenticated(request)
        if request.path in ("/healthz/live", "/healthz/ready"):
            if not self.world.gate.allows_anonymous(request.ip):
                return self._limited(request)
            return Answer(200, HEALTHY, answers.PROBLEM)
        if request.path == "/metrics/prometheus" and self.world.profile.native_page:
            return self._native_page(request)
        if request.path == "/jmap/session" and request.method == "GET":
            return self._jmap_session()
        raise NotFound

    def _limited(self, request: Request) -> Answer:
        self._raise(request, "limit.too-many-requests")
        return answers.rate_limited()

    def _jmap_session(self) -> Answer:
        if self.world.profile.release < (0, 12):
            return answers.unauthorized(challenge=True)
        return Answer(200, JMAP_SESSION)

    def _native_page(self, request: Request) -> Answer:
        profile = self.world.profile
        if profile.native_login is not None:
            given = parse_authorization(request.authorization)
            if given.scheme != "basic" or (given.name, given.secret) != profile.native_login:
                self._raise(request, "auth.failed")
                return answers.unauthorized(challenge=True)
        page = render(self.world.journal.counters, enterprise=profile.enterprise, correct=profile.correct_histograms)
        return Answer(200, page.encode(), "text/plain; version=0.0.4")

    def _authenticated(self, request: Request) -> Answer:
        gate = self.world.gate
        outcome = gate.log_in(parse_authorization(request.authorization), request.ip)
        if isinstance(outcome, str):
            stream = self.telemetry.stream_for_token(self.world, request)
            return stream if stream is not None else self._refused(request, outcome)
        if not outcome.may("authenticate"):
            raise Forbidden("authenticate")
        if not gate.allows_account(outcome):
            return self._limited(request)
        if request.crowded and not outcome.may("unlimited-requests"):
            self._raise(request, "limit.concurrent-request")
            return answers.too_many_at_once()
        request.account = outcome
        self._raise(
            request, "http.request-body", request.log_keys() if self.world.journal.logs("http.request-body") else None
        )
        return self._dispatch(request)

    def _refused(self, request: Request, refusal: Refusal) -> Answer:
        if refusal == "rate-limited":
            return self._limited(request)
        if refusal == "banned":
            self.world.ban(request.ip)
            return answers.banned()
        profile = self.world.profile
        if profile.counts_api_login_failures:
            self._raise(request, "auth.failed")
        return answers.unauthorized(challenge=profile.challenges_every_401 or refusal == "challenged")

    def _dispatch(self, request: Request) -> Answer:
        world, parts = self.world, request.parts
        if api_other.is_harmful(request.method, request.path) and request.method == "GET":
            return api_other.harmful(request)
        match parts:
            case ("queue", *rest):
                return api_queue.answer(world, request, tuple(rest))
            case ("telemetry", *rest):
                return self.telemetry.answer(world, request, tuple(rest))
            case ("reports", *rest):
                return api_other.incoming_reports(world, request, tuple(rest))
            case ("logs", *_):
                return api_other.logs(world, request)
            case ("principal", *rest):
                return api_other.principals(world, request, tuple(rest))
            case ("settings", *rest):
                return api_other.settings(world, request, tuple(rest))
            case ("troubleshoot", *rest):
                return api_probes.troubleshoot(world, request, tuple(rest))
            case ("spam-filter", "classify"):
                return api_probes.spam(world, request)
            case ("dns", "records", domain):
                return api_other.dns_records(world, request, domain)
            case ("dkim", signature):
                return api_other.dkim_key(world, request, signature)
            case ("oauth",):
                return api_other.oauth(world, request)
        raise NotFound
