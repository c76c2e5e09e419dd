"""`/api/telemetry`: available only on an Enterprise server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.simulator.common.live_tokens import LiveTokens
from exporter.simulator.common.parameters import Parameters, Request
from exporter.simulator.common.responses import Answer, NotFound, data, management_error, unsupported
from exporter.simulator.rest.queue import require
from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.traces import DAY_SECONDS
from exporter.simulator.world.world import World

LivePermission = {"metrics": "metrics-live", "tracing": "tracing-live"}
LiveStream = Callable[[World, Parameters], Answer]


@dataclass(slots=True)
class Telemetry:
    """
    Handles requests below `/api/telemetry`.

    Attributes:
        streams: The live streams by kind, `metrics` and `tracing`; the path of a missing one is unknown.
    """

    tokens: LiveTokens = field(default_factory=LiveTokens)
    streams: Mapping[str, LiveStream] = field(default_factory=dict)

    def answer(self, world: World, request: Request, parts: tuple[str, ...]) -> Answer:
        """Answer a request; the edition is checked before the caller's permissions."""
        if world.profile.edition == "community":
            raise NotFound
        if world.profile.edition == "unlicensed":
            return unsupported("Enterprise feature")
        match request.method, parts:
            case "GET", ("metrics",):
                require(request, "metrics-list")
                return _metrics(world, request.parameters)
            case "GET", ("traces",):
                require(request, "tracing-list")
                return _traces(world, request.parameters)
            case "GET", ("trace", *ids):
                require(request, "tracing-get")
                return _trace(world, request, ids)
            case "GET", ("live", "metrics-token" | "tracing-token" as what):
                kind = what.removesuffix("-token")
                require(request, LivePermission[kind])
                return data(self.tokens.issue(world, kind))
            case "GET", ("metrics" | "traces" as what, "live"):
                kind = "metrics" if what == "metrics" else "tracing"
                require(request, LivePermission[kind])
                return self.open_stream(world, request, kind)
        raise NotFound

    def stream_for_token(self, world: World, request: Request) -> Answer | None:
        """Return the live stream that `?token=` opens; None for any other request."""
        token = request.parameters.text("token")
        kinds: dict[tuple[str, ...], str] = {
            ("telemetry", "metrics", "live"): "metrics",
            ("telemetry", "traces", "live"): "tracing",
        }
        kind = kinds.get(request.parts)
        if not token or kind is None or not world.profile.enterprise:
            return None
        return self.open_stream(world, request, kind) if self.tokens.opens(token, kind, world.now()) else None

    def open_stream(self, world: World, request: Request, kind: str) -> Answer:
        """Open a live stream."""
        if kind not in self.streams:
            raise NotFound
        return self.streams[kind](world, request.parameters)


def _metrics(world: World, parameters: Parameters) -> Answer:
    if not world.profile.metrics_store:
        if world.profile.release < (0, 11):
            return unsupported("No metrics store has been configured")
        reason = "You need to configure a metrics store in order to use this feature."
        return management_error("other", details="No metrics store has been defined", reason=reason)
    return data(world.samples.between(parameters.moment("after"), parameters.moment("before")))


def _no_store(world: World) -> Answer | None:
    return None if world.profile.trace_store else unsupported("No tracing store has been configured")


def _traces(world: World, parameters: Parameters) -> Answer:
    missing = _no_store(world)
    if missing is not None:
        return missing
    found = _search(world, parameters)
    skip, limit = parameters.window()
    page = found[skip : skip + limit] if limit else found[skip:]
    items: list[Any] = page
    if parameters.flag("values"):
        items = [summary for span_id in page if (summary := world.traces.summary(span_id)) is not None]
    return data({"items": items, "total": len(found)})


def _search(world: World, parameters: Parameters) -> list[int]:
    now = world.now()
    opening: str | None = parameters.text("type")
    if not catalog.is_known(opening or ""):
        opening = None
    queue_id = parameters.optional_number("queue_id")
    words = parameters.text("filter").split()
    after, before = (_past(parameters.moment(side), now) for side in ("after", "before"))
    if world.profile.release < (0, 15):
        if opening is None and queue_id is None and not words:
            return []
    elif not words and queue_id is None and after is None and before is None:
        after = now - DAY_SECONDS
    return world.traces.search(opening=opening, queue_id=queue_id, words=words, after=after, before=before)


def _past(moment: float | None, now: float) -> float | None:
    return moment if moment is not None and moment <= now else None


def _trace(world: World, request: Request, ids: list[str]) -> Answer:
    missing = _no_store(world)
    if missing is not None:
        return missing
    if len(ids) > 1:
        raise NotFound
    text = ids[0] if ids else request.parameters.text("id")
    traces = [world.traces.get(int(part)) for part in text.split(",") if part.isdigit()]
    return data(traces[0] if ids and "," not in text and traces else traces)
