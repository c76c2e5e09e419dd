"""Answers of servers up to v0.15."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporter.model.report_words import ReportKind
from exporter.stalwart import detect
from exporter.stalwart.common.native_page import parse_native_page
from exporter.stalwart.common.timestamps import UnreadableStamp, in_order, unix_sum
from exporter.stalwart.events.tracker import AttemptTracker
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.responses import RawResponse, check_response, decode_response
from exporter.stalwart.rest import client as rest_client
from exporter.stalwart.rest.accounts import parse_accounts
from exporter.stalwart.rest.logs import parse_log_answer
from exporter.stalwart.rest.queue import walk as queue_walk
from exporter.stalwart.rest.queue.fold import QueueFold
from exporter.stalwart.rest.queue.wire import parse_page
from exporter.stalwart.rest.reports.listing import parse_report, parse_report_ids
from exporter.stalwart.rest.stored import parse_stored_metrics
from exporter.stalwart.rest.traces import parse_trace_ids, parse_traces
from tests.fuzz import samples
from tests.fuzz.decoder import NOW, Decoder, any_of, encoded, text_of
from tests.support.builders.outcomes import outcomes_of


def decoders() -> Iterator[Decoder]:
    """Every decoder of the REST management API."""
    yield Decoder("rest.queue", _rest_queue, lambda: samples.rest("/api/queue/messages?"), share=2)
    yield Decoder("rest.queue_page", parse_page, lambda: samples.rest("/api/queue/messages?"))
    yield Decoder("rest.logs", _rest_logs, lambda: samples.rest("/api/logs"), share=2)
    yield Decoder("rest.trace_ids", parse_trace_ids, lambda: [b'{"data":{"items":[342000880582656668,1],"total":2}}'])
    yield Decoder("rest.traces", _rest_traces, lambda: samples.traces(samples.rest_hour()), share=2)
    yield Decoder("rest.stored_metrics", parse_stored_metrics, lambda: [STORED])
    yield Decoder("rest.native", parse_native_page, lambda: samples.native("rest-0.15.5"), share=2)
    yield Decoder("rest.report_ids", _rest_report_ids, lambda: samples.rest("/api/reports/dmarc?"))
    for kind in ReportKind:
        path = f"/api/reports/{kind.value}/"
        yield Decoder(f"rest.report_{kind.value}", _rest_report(kind), lambda path=path: samples.rest(path), share=2)
    yield Decoder("rest.accounts", parse_accounts, lambda: samples.accounts_rest())
    yield Decoder("answer", _answer, lambda: [*samples.rest("/api/queue/status"), *ERRORS])
    yield Decoder("rest.small", _rest_small, lambda: SMALL_ANSWERS)
    yield Decoder("rest.stamps", _stamps, lambda: [STAMPS], (UnreadableStamp,))


def _rest_queue(body: bytes) -> object:
    fold = QueueFold(NOW)
    fold.feed(body)
    return fold.finish(truncated=False)


def _rest_logs(body: bytes) -> object:
    return outcomes_of(line.delivery for line in reversed(parse_log_answer(body).lines))


def _rest_traces(body: bytes) -> object:
    return [outcomes_of(trace.events, AttemptTracker(one_attempt=True)) for trace in parse_traces(body, [1])]


def _rest_report_ids(body: bytes) -> object:
    return parse_report_ids(body, page=1, limit=100)


def _rest_report(kind: ReportKind) -> Callable[[bytes], object]:
    return lambda body: parse_report(kind, "341999512746747036_1797950075", body, now=NOW)


def _answer(body: bytes) -> object:
    """The length chooses a status and an endpoint."""
    length = len(body)
    status = (200, 200, 200, 301, 400, 401, 402, 403, 404, 429, 500, 999)[length % 12]
    endpoint = list(Endpoint)[length // 12 % len(Endpoint)]
    kind = ("application/json", "text/html", "", "application/problem+json")[length % 4]
    after = body[:6].decode("latin-1")
    check_response(
        endpoint,
        RawResponse(status=status, content_type=kind, retry_after=after, body=body, authenticated=length % 2 == 0),
    )
    return None


def _rest_small(body: bytes) -> object:
    each = (rest_client._running, rest_client._outgoing, queue_walk._ids, detect._session, detect._version)
    return any_of([lambda decoder=decoder: decode_response(decoder, body) for decoder in each])


def _stamps(text: bytes) -> object:
    ordered, total = in_order(text_of(text).split(","))
    assert unix_sum(ordered) == total
    return ordered


STORED = encoded(
    {
        "data": [
            {"type": "counter", "id": "smtp.connection-start", "timestamp": "2026-11-22T14:00:00Z", "value": 7},
            {"type": "gauge", "id": "server.memory", "timestamp": "2026-11-22T14:00:00Z", "value": 65_000_000},
            {"type": "histogram", "id": "message.size", "timestamp": "2026-11-22T14:00:00Z", "count": 3, "sum": 999},
        ]
    }
)

ERRORS = [
    encoded({"error": "other", "details": "No log has been configured", "reason": None, "item": "x"}),
    encoded({"type": "about:blank", "status": 401, "title": "Unauthorized", "detail": "You have to authenticate."}),
    b"<html><title>502</title></html>",
]

SMALL_ANSWERS = [
    b'{"data":true}',
    b'{"data":{"items":["d_1795360200_1796000000","t_2_3"],"total":2}}',
    b'{"data":{"items":[342000880582656668,1],"total":2}}',
    b'{"capabilities":{"urn:ietf:params:jmap:core":{}},"apiUrl":"https://mx.test/jmap/"}',
    b'{"data":{"permissions":["authenticate","logs-view"],"isEnterprise":true,"version":"0.15.5"}}',
]

STAMPS = b"2026-11-22T14:00:00Z,2026-11-22T14:00:00.5Z,2026-11-22T16:00:00+02:00,2026-11-22T14:59:59Z"
