"""`x:Metric` and `x:Trace`: what an Enterprise server with the stores for it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.simulator.jmap.query import Entry, Rules, conditions, matcher, parse_paging, parse_sort, slice_ids
from exporter.simulator.jmap.wire import Json, MethodError, as_list, moment
from exporter.simulator.world.ids import encode_id
from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.events import Event, Span
from exporter.simulator.world.telemetry.names import counted_names, jmap_name
from exporter.simulator.world.telemetry.snowflake import created_at
from exporter.simulator.world.telemetry.traces import DAY_SECONDS, has_words
from exporter.simulator.world.values import Address, Cause, Duration, Keys, Timestamp, Value, rfc3339
from exporter.simulator.world.world import World

METRIC_RULES = Rules(
    filters={"timestamp": "date", "metric": "ignored"},
    default_sort="id",
    fast=False,
    sort_ignored=True,
)
TRACE_RULES = Rules(
    filters={"timestamp": "date", "event": "equal", "queueId": "contains", "text": "ignored"},
    sorts=frozenset({"id", "timestamp"}),
    default_sort="id",
    fast=False,
)
NO_STORE = "No store has been configured"


def require_metrics(world: World) -> None:
    """Raise unless samples are kept."""
    if not world.profile.keeps_metrics:
        raise MethodError("serverUnavailable", NO_STORE)


def require_traces(world: World) -> None:
    """Raise unless spans are kept."""
    if not world.profile.keeps_traces:
        raise MethodError("serverUnavailable", NO_STORE)


def query_metrics(world: World, arguments: Mapping[str, Any]) -> Json:
    """Return samples by time; `metric` is a list of names, of which unknown ones are ignored."""
    require_metrics(world)
    asked = list(conditions(arguments.get("filter")))
    wanted = next((_known_metrics(value) for key, value in asked if key == "metric"), None)
    # A lower bound in the server's future is silently ignored.
    bounds = [(key, value) for key, value in asked if not (_is_lower(key) and (moment(value) or 0.0) > world.now())]
    tests = [matcher(key, value, METRIC_RULES) for key, value in bounds]
    rows = metrics(world)
    found = [
        row.number
        for row in rows
        if (wanted is None or row.fields["metric"] in wanted) and all(test(row) for test in tests)
    ]
    _, ascending = parse_sort(arguments, METRIC_RULES)
    return slice_ids(found if ascending else found[::-1], parse_paging(arguments), METRIC_RULES)


def _is_lower(key: str) -> bool:
    return key.startswith("timestampIsGreater")


def _known_metrics(value: Any) -> frozenset[str]:
    known = {*counted_names(), *catalog.GAUGES, *catalog.HISTOGRAMS}
    wanted = frozenset(name for name in value if name in known) if isinstance(value, list) else frozenset()
    if not wanted:
        raise MethodError("unsupportedFilter", "metric")
    return wanted


def metrics(world: World) -> list[Entry]:
    """Return all samples."""
    return [
        Entry(number, {"timestamp": int(taken_at), "metric": jmap_name(row["id"])}, lambda row=row: _metric(row))  # type: ignore[misc]
        for taken_at, number, row in world.samples.rows()
    ]


def _metric(row: Json) -> Json:
    shown: Json = {"@type": row["type"].capitalize(), "metric": jmap_name(row["id"])}
    if row["type"] == "histogram":
        shown |= {"count": row["count"], "sum": row["sum"]}
    else:
        shown["count"] = row["value"]
    return {**shown, "timestamp": row["timestamp"]}


def query_traces(world: World, arguments: Mapping[str, Any]) -> Json:
    """Return spans by time; without a bound, a message or words only those of the last day."""
    require_traces(world)
    asked = list(conditions(arguments.get("filter")))
    tests = [matcher(key, _queue_id(key, value), TRACE_RULES) for key, value in asked]
    words = tuple(word for key, value in asked if key == "text" for word in str(value).replace('"', " ").split())
    bounded = any(key.startswith(("timestamp", "queueId", "text")) for key, _ in asked)
    oldest = float("-inf") if bounded else world.now() - DAY_SECONDS
    found = [
        span.span_id
        for span in world.traces.spans()
        if created_at(span.span_id) > oldest
        and all(test(trace(span)) for test in tests)
        and (not words or has_words(span, words))
    ]
    _, ascending = parse_sort(arguments, TRACE_RULES)
    return slice_ids(found if ascending else found[::-1], parse_paging(arguments), TRACE_RULES)


def _queue_id(key: str, value: Any) -> Any:
    return value.lower() if key == "queueId" and isinstance(value, str) else value


def trace(span: Span) -> Entry:
    """Return a span as queries see it."""
    ids = [event.keys.get("queueId") for event in span.events]
    fields = {
        "timestamp": int(created_at(span.span_id)),
        "event": jmap_name(span.events[0].event_id),
        "queueId": frozenset(encode_id(number) for number in ids if isinstance(number, int)),
    }
    return Entry(span.span_id, fields, lambda: trace_to_json(span))


def trace_to_json(span: Span) -> Json:
    """Return a span, without its id."""
    first = span.events[0]
    envelope = next((event for event in span.events if {"from", "to"} <= event.keys.keys()), None)
    events = [envelope] if envelope is not None else span.events
    return {
        "timestamp": rfc3339(first.time),
        "from": next(_told(events, "from"), None),
        "to": "; ".join(dict.fromkeys(_told(events, "to"))) or None,
        "size": next((event.keys["size"] for event in span.events if "size" in event.keys), 0),
        "events": as_list(event_to_json(event) for event in span.events),
    }


def _told(events: Iterable[Event], key: str) -> Iterator[str]:
    for event in events:
        value = event.keys.get(key)
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, str))


def event_to_json(event: Event) -> Json:
    """Return one event with its own keys only."""
    return {
        "event": jmap_name(event.event_id),
        "timestamp": rfc3339(event.time),
        "keyValues": _key_values(event.keys),
    }


def _key_values(keys: Keys) -> Json:
    return as_list({"key": key, "value": typed(value)} for key, value in keys.items() if value is not None)


def typed(value: Value) -> Json:
    """Return a value with its type."""
    match value:
        case None:
            return {"@type": "Null"}
        case bool():
            return {"@type": "Boolean", "value": value}
        case str():
            return {"@type": "String", "value": value}
        case int():
            return {"@type": "UnsignedInt" if value >= 0 else "Integer", "value": value}
        case float():
            return {"@type": "Float", "value": value}
        case Duration(milliseconds):
            return {"@type": "Duration", "value": milliseconds}
        case Timestamp(seconds):
            return {"@type": "UTCDateTime", "value": rfc3339(seconds)}
        case Address(text):
            return {"@type": "IpAddr", "value": text}
        case Cause(event_id, keys):
            return {"@type": "Event", "event": jmap_name(event_id), "value": _key_values(keys)}
        case tuple():
            return {"@type": "List", "value": as_list(typed(item) for item in value)}
