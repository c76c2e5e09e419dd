"""`POST /jmap/`: the envelope, its calls, and references from one call to the response of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.simulator.jmap.documents import KNOWN_CAPABILITIES, MAX_OBJECTS, SESSION_STATE
from exporter.simulator.jmap.objects import logs as jmap_logs
from exporter.simulator.jmap.objects import queue as jmap_queue
from exporter.simulator.jmap.objects import telemetry as jmap_telemetry
from exporter.simulator.jmap.objects.objects import TYPES, queued
from exporter.simulator.jmap.permissions import may
from exporter.simulator.jmap.query import query
from exporter.simulator.jmap.set import SETTABLE, set_objects
from exporter.simulator.jmap.synthetic import MergedIds, query_synthetic, show_synthetic
from exporter.simulator.jmap.wire import ENTERPRISE_ONLY, NOT_PERMITTED, TOO_MANY_IDS, Json, MethodError, choose
from exporter.simulator.world.accounts.api_keys import account_id
from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.ids import encode_id, id_of
from exporter.simulator.world.world import World

ENTERPRISE_TYPES = frozenset({"Metric", "Trace"})
ANCHORS_SINCE = (0, 16, 4)
ANCHORS_BROKEN = frozenset({"QueuedMessage", "Task", "Metric"})
READABLE = frozenset({*TYPES, "QueuedMessage", "Log", "Metric", "Trace"})

Shown = Json | msgspec.Raw


class Envelope(msgspec.Struct, rename="camel"):
    """A request; `method_calls` are name, arguments and the caller's own id."""

    using: list[str]
    method_calls: list[tuple[str, dict[str, Any], str]]


_decode = msgspec.json.Decoder(Envelope).decode


def parse(body: bytes) -> Envelope | None:
    """Return the envelope of a request; None if it is invalid, or names an unknown capability."""
    try:
        envelope = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return envelope if KNOWN_CAPABILITIES.issuperset(envelope.using) else None


@dataclass(frozen=True, slots=True)
class Batch:
    """The calls of one request, made for one account, one after the other."""

    world: World
    caller: Account

    def answer(self, envelope: Envelope) -> Json:
        """Return the responses to all calls."""
        responses: list[tuple[str, Json, str]] = []
        for name, arguments, call_id in envelope.method_calls:
            try:
                resolved = _resolve(arguments, responses)
                result = {"accountId": account_id(self.caller), **self._call(name, resolved)}
                responses.append((name, result, call_id))
            except MethodError as error:
                responses.append(("error", error.to_json(), call_id))
        return {"methodResponses": responses, "sessionState": SESSION_STATE}

    def _call(self, name: str, arguments: Json) -> Json:
        kind, _, verb = name.removeprefix("x:").partition("/")
        if verb == "set" and name.startswith("x:") and kind in SETTABLE:
            return set_objects(self.world, self.caller, kind, arguments)
        if not name.startswith("x:") or kind not in READABLE or verb not in ("get", "query"):
            raise MethodError("unknownMethod", name)
        self._require(f"sys{kind}{verb.capitalize()}")
        self._check_account(arguments)
        if kind in ENTERPRISE_TYPES and not self.world.profile.enterprise:
            raise MethodError("forbidden", ENTERPRISE_ONLY)
        return self._query(kind, arguments) if verb == "query" else self._get(kind, arguments)

    def _require(self, permission: str) -> None:
        if not may(self.caller, permission):
            raise MethodError("forbidden", NOT_PERMITTED)

    def _check_account(self, arguments: Json) -> None:
        wanted = arguments.get("accountId")
        if wanted is not None and wanted != account_id(self.caller) and not may(self.caller, "impersonate"):
            raise MethodError("forbidden", NOT_PERMITTED)

    def _query(self, kind: str, arguments: Json) -> Json:
        world = self.world
        if kind in ANCHORS_BROKEN and arguments.get("anchor") and world.profile.release < ANCHORS_SINCE:
            raise MethodError("anchorNotFound")
        match kind:
            case "Log":
                return jmap_logs.query(world, arguments)
            case "Metric":
                return jmap_telemetry.query_metrics(world, arguments)
            case "Trace":
                return jmap_telemetry.query_traces(world, arguments)
            case "QueuedMessage":
                return self._query_queue(arguments)
        return query(TYPES[kind].entries(world), arguments, TYPES[kind].rules)

    def _query_queue(self, arguments: Json) -> Json:
        filter_ = arguments.get("filter")
        loaded = jmap_queue.searches_text(filter_ if isinstance(filter_, dict) else {})
        rows = list(queued(self.world, loaded=loaded))
        if self.world.synthetic is None:
            return query(rows, arguments, jmap_queue.RULES)
        return query_synthetic(self.world.synthetic, rows, arguments, self.world.now())

    def _get(self, kind: str, arguments: Json) -> Json:
        properties = _properties(arguments.get("properties"))
        ids = arguments.get("ids")
        if ids is not None and not isinstance(ids, list):
            raise MethodError("invalidArguments", "Invalid ids")
        if ids is not None and len(ids) > MAX_OBJECTS:
            raise MethodError("requestTooLarge", TOO_MANY_IDS)
        show, everything = self._source(kind, properties)
        found: list[Shown] = []
        missing: list[Any] = []
        for text in everything() if ids is None else ids:
            number = id_of(text)
            shown = show(number) if number is not None else None
            if number is None or shown is None:
                missing.append(text if number is None else encode_id(number))
            elif isinstance(shown, msgspec.Raw):
                found.append(shown)
            else:
                found.append(choose({**shown, "id": encode_id(number)}, properties))
        return {"list": found, "notFound": missing}

    def _source(
        self, kind: str, properties: Sequence[str] | None
    ) -> tuple[Callable[[int], Shown | None], Callable[[], list[str]]]:
        """Return how to show one object of a type, and how to list the ids of all."""
        world = self.world
        match kind:
            case "Log":
                return lambda number: jmap_logs.get(world, number), lambda: jmap_logs.newest(world, MAX_OBJECTS)
            case "QueuedMessage":
                return self._queue_source(properties)
            case "Metric":
                jmap_telemetry.require_metrics(world)
                entries = jmap_telemetry.metrics(world)
            case "Trace":
                jmap_telemetry.require_traces(world)
                entries = [jmap_telemetry.trace(span) for span in world.traces.spans()]
            case _:
                entries = TYPES[kind].entries(world)
        by_number = {entry.number: entry for entry in entries}

        def show(number: int) -> Json | None:
            return by_number[number].show() if number in by_number else None

        return show, lambda: [encode_id(number) for number in list(by_number)[:MAX_OBJECTS]]

    def _queue_source(
        self, properties: Sequence[str] | None
    ) -> tuple[Callable[[int], Shown | None], Callable[[], list[str]]]:
        world, now = self.world, self.world.now()

        def show(number: int) -> Shown | None:
            message = world.queue.messages.get(number)
            if message is not None:
                return jmap_queue.to_json(message, now)
            if world.synthetic is None:
                return None
            return show_synthetic(world.synthetic, number, properties, now)

        def everything() -> list[str]:
            synthetic = world.synthetic
            numbers = MergedIds(synthetic.ids(0, min(synthetic.count, MAX_OBJECTS)) if synthetic is not None else [])
            return [encode_id(number) for number in [*numbers, *world.queue.messages][:MAX_OBJECTS]]

        return show, everything


def _properties(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise MethodError("invalidArguments", "Invalid properties")
    return [str(name) for name in value]


def _resolve(arguments: Json, responses: Sequence[tuple[str, Json, str]]) -> Json:
    """Return the arguments with references replaced by their targets."""
    return {
        name.removeprefix("#"): _referenced(value, responses) if name.startswith("#") else value
        for name, value in arguments.items()
    }


def _referenced(reference: Any, responses: Sequence[tuple[str, Json, str]]) -> list[Any]:
    if not isinstance(reference, Mapping):
        raise MethodError("invalidResultReference", "Invalid result reference")
    call_id, name, path = (str(reference.get(part)) for part in ("resultOf", "name", "path"))
    for told, result, told_id in responses:
        if told_id == call_id and told == name:
            value = result.get(path.removeprefix("/"))
            if isinstance(value, list):
                return value
    raise MethodError("invalidResultReference", f"Result reference to {call_id}#{name} not found.")
