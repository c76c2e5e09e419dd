"""MethodResponses of servers from v0.16 on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporter.model.report_words import ReportKind
from exporter.stalwart.common.ids import decode_id
from exporter.stalwart.events.log_lines import parse_log_lines
from exporter.stalwart.events.tracker import AttemptTracker
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.jmap import stored as jmap_stored
from exporter.stalwart.jmap import traces as jmap_traces
from exporter.stalwart.jmap.directory import accounts as jmap_accounts
from exporter.stalwart.jmap.inventory import _Certificate, _host_name, _Node, _objects, _Task
from exporter.stalwart.jmap.logs import _lines
from exporter.stalwart.jmap.native import parse_checked_native_page
from exporter.stalwart.jmap.protocol.paging import found_decoder
from exporter.stalwart.jmap.protocol.session import parse_account, parse_session
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses
from exporter.stalwart.jmap.queue.fold import QueueFold as JmapQueueFold
from exporter.stalwart.jmap.queue.wire import messages_of
from exporter.stalwart.jmap.reports.listing import parse_report as parse_jmap_report
from exporter.stalwart.jmap.schema import CounterNames, counter_names
from tests.fuzz import samples
from tests.fuzz.decoder import NOW, Decoder, any_of, encoded, text_of
from tests.support.builders.outcomes import outcomes_of


def decoders() -> Iterator[Decoder]:
    """Every decoder of JMAP."""
    yield Decoder("jmap.batch", _batch, lambda: [_whole(get) for get in samples.jmap("x:QueuedMessage/get")])
    yield Decoder("jmap.queue", _jmap_queue, lambda: samples.jmap("x:QueuedMessage/get"), share=2)
    yield Decoder("jmap.logs", _jmap_logs, lambda: samples.jmap("x:Log/get"), share=2)
    yield Decoder("jmap.traces", _jmap_traces, lambda: samples.traces(samples.jmap_hour()), share=2)
    yield Decoder("jmap.stored_metrics", _jmap_stored, lambda: [JMAP_STORED])
    yield Decoder("jmap.native", _jmap_native, lambda: samples.native("jmap-0.16.18"))
    for kind in ReportKind:
        get = f"x:{kind.value.capitalize()}ExternalReport/get"
        sampled = lambda get=get: samples.jmap_members(get)  # noqa: E731 - bound to this turn of the loop
        yield Decoder(f"jmap.report_{kind.value}", _jmap_report(kind), sampled, share=2)
    yield Decoder("jmap.inventory", _jmap_inventory, lambda: [*INVENTORY, *samples.jmap("x:Task/get")])
    yield Decoder("jmap.accounts", _jmap_accounts, lambda: samples.accounts_jmap())
    yield Decoder("jmap.session", parse_session, lambda: samples.path_of_jmap("/jmap/session"))
    yield Decoder("jmap.account", parse_account, lambda: samples.path_of_jmap("/api/account"))
    yield Decoder("jmap.schema", counter_names, lambda: [SCHEMA])
    yield Decoder("jmap.id", lambda text: decode_id(text_of(text)), lambda: [b"b2cd3"], (ValueError,))
    yield Decoder("jmap.found", lambda body: decode_response(found_decoder, body), lambda: [FOUND])


def _whole(given: bytes, method: str = "x:QueuedMessage/get") -> bytes:
    """The response to a batch of one call."""
    return b'{"methodResponses":[["' + method.encode() + b'",' + given + b',"g"]],"sessionState":"0"}'


def _called(given: bytes, method: str) -> tuple[MethodResponses, Call]:
    return MethodResponses(_whole(given, method)), Call("g", method, {})


def _batch(body: bytes) -> object:
    answers, call = MethodResponses(body), Call("g", "x:QueuedMessage/get", {})
    return answers.failed(call) or messages_of(answers, call)


def _jmap_queue(given: bytes) -> object:
    fold = JmapQueueFold(NOW)
    fold.feed(messages_of(*_called(given, "x:QueuedMessage/get")))
    return fold.finish(truncated=False)


def _jmap_logs(given: bytes) -> object:
    answers, call = _called(given, "x:Log/get")
    return outcomes_of(line.delivery for line in parse_log_lines(answers.result(call, _lines).items, "list"))


def _jmap_traces(given: bytes) -> object:
    traces = jmap_traces.parse_trace_list(decode_response(jmap_traces.traces_decoder, given), {"b": 1, "c": 2})
    return [outcomes_of(trace.events, AttemptTracker(one_attempt=True)) for trace in traces]


def _jmap_stored(given: bytes) -> object:
    answers, call = _called(given, "x:Metric/get")
    rows = answers.result(call, jmap_stored._rows).items
    return [jmap_stored._sample(row, at) for at, row in enumerate(rows)]


def _jmap_native(body: bytes) -> object:
    return [parse_checked_native_page(body, names) for names in CounterNames]


def _jmap_accounts(given: bytes) -> object:
    answers, call = _called(given, "x:Account/get")
    return [jmap_accounts._row(row) for row in answers.result(call, jmap_accounts._rows).items]


def _jmap_inventory(given: bytes) -> object:
    answers, call = _called(given, "x:Task/get")
    found = any_of([lambda of=of: _objects(answers, call, of) for of in (_Task, _Node, _Certificate)])  # type: ignore[misc]
    certificates = [one for objects in found for one in objects if isinstance(one, _Certificate)]
    return [_host_name(name) for one in certificates for name in one.subject_alternative_names]


def _jmap_report(kind: ReportKind) -> Callable[[bytes], object]:
    return lambda body: parse_jmap_report(kind, "b2cd3", body)


JMAP_STORED = encoded(
    {
        "list": [
            {"id": "b2", "@type": kind, "metric": metric, "timestamp": "2026-11-22T14:00:00Z", "count": 7, "sum": 9}
            for kind, metric in (("Counter", "smtp.connection-start"), ("Histogram", "message.size"))
        ]
    }
)

SCHEMA = encoded({"enums": {"MetricType": ["smtp.connection-start", {"name": "queue.count"}], "EventType": ["a.b"]}})

INVENTORY = [
    encoded({"list": [{"id": "b", "@type": "IndexDocument", "status": {"@type": "Retry"}}]}),
    encoded({"list": [{"id": "b", "status": "active", "nodeId": 1}]}),
    encoded({"list": [{"notValidAfter": "2027-01-01T00:00:00Z", "subjectAlternativeNames": {"*.example.org": True}}]}),
]

FOUND = b'{"ids":["b2cd3","b2cd4"],"total":2,"limit":5000,"position":0}'
