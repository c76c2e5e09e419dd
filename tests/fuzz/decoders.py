"""Every decoder of what comes from outside, as something that takes bytes and gives a model or a typed error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri
from websockets.utils import accept_key

from exporter.domains import domain_name, domain_of, shown_domain
from exporter.errors import ExporterError, SettingsError, TargetUnreachable
from exporter.model.report_words import ReportKind
from exporter.settings.addresses import parse_listen, parse_server_url
from exporter.settings.load import load_settings
from exporter.settings.units import parse_duration, parse_size
from exporter.stalwart.allowlist import Endpoint
from exporter.stalwart.answers import RawAnswer, check_answer, decode_answer
from exporter.stalwart.attempts import AttemptFolder
from exporter.stalwart.delivery import FOLLOWED_EVENTS
from exporter.stalwart.details import DetailsReader
from exporter.stalwart.failures import classify_failure
from exporter.stalwart.jmap import live as jmap_live
from exporter.stalwart.jmap import stored as jmap_stored
from exporter.stalwart.jmap import traces as jmap_traces
from exporter.stalwart.jmap.ids import decode_id
from exporter.stalwart.jmap.inventory import _Certificate, _host_name, _Node, _objects, _Task
from exporter.stalwart.jmap.live_spans import Spans
from exporter.stalwart.jmap.live_stream import Repetition
from exporter.stalwart.jmap.logs import _lines
from exporter.stalwart.jmap.native import read_native_page
from exporter.stalwart.jmap.queue import QueueFold as JmapQueueFold
from exporter.stalwart.jmap.queue_wire import messages_of
from exporter.stalwart.jmap.reports import parse_report as parse_jmap_report
from exporter.stalwart.jmap.schema import CounterNames, counter_names
from exporter.stalwart.jmap.session import parse_account, parse_session
from exporter.stalwart.jmap.wire import Answers, Call
from exporter.stalwart.log_lines import read_log_lines
from exporter.stalwart.rest import live as rest_live
from exporter.stalwart.rest.logs import parse_log_answer
from exporter.stalwart.rest.native import parse_native_page
from exporter.stalwart.rest.queue import QueueFold
from exporter.stalwart.rest.queue_wire import parse_page
from exporter.stalwart.rest.reports import parse_report, parse_report_ids
from exporter.stalwart.rest.stored import parse_stored_metrics
from exporter.stalwart.rest.traces import parse_trace_ids, parse_traces
from exporter.stalwart.sse import SseDecoder
from exporter.stalwart.websocket import WebSocketStream
from exporter.web.negotiation import negotiate
from exporter.web.web_config import load_web_config
from tests.fuzz import samples, small_decoders
from tests.fuzz.decoder import Decoder, written
from tests.support.outcomes import outcomes_of

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
MOST_MESSAGE_BYTES = 65_536


def all_decoders() -> list[Decoder]:
    """Every one of them."""
    return [*_rest(), *_jmap(), *_streams(), *_text(), *_files(), *small_decoders.decoders()]


def _rest() -> Iterator[Decoder]:
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
    yield Decoder("answer", _answer, lambda: [*samples.rest("/api/queue/status"), *ERRORS])


def _jmap() -> Iterator[Decoder]:
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
    yield Decoder("jmap.session", parse_session, lambda: samples.path_of_jmap("/jmap/session"))
    yield Decoder("jmap.account", parse_account, lambda: samples.path_of_jmap("/api/account"))
    yield Decoder("jmap.schema", counter_names, lambda: [SCHEMA])
    yield Decoder("jmap.id", lambda text: decode_id(text.decode("utf-8", "replace")), lambda: [b"b2cd3"], (ValueError,))


def _streams() -> Iterator[Decoder]:
    yield Decoder("sse", _sse, lambda: [b'event: state\r\ndata: {"a":1}\r\ndata: 2\n\n: ping\n\nid: 1\rdata\r\r'])
    yield Decoder("websocket", _websocket, lambda: [_frames()], share=0.2)
    yield Decoder("live.rest_traces", _live_rest_traces, lambda: samples.live(samples.rest_hour()), share=2)
    yield Decoder("live.rest_metrics", rest_live.read_metrics, lambda: [LIVE_METRICS, b'{"interval":30000}'])
    yield Decoder("live.jmap_traces", _live_jmap_traces, lambda: samples.live(samples.jmap_hour()), share=2)
    yield Decoder("live.jmap_metrics", _live_jmap_metrics, lambda: [LIVE_JMAP_METRICS, b'{"interval":30000}'])
    yield Decoder("live.repetition", _repetition, lambda: samples.live(samples.jmap_hour()))


def _text() -> Iterator[Decoder]:
    yield Decoder("log.details", _details, samples.details, (), share=2)
    yield Decoder("failure", lambda text: classify_failure(text.decode("utf-8", "replace")), lambda: FAILURES, ())
    yield Decoder("domain", _domain, lambda: [name.encode() for name in DOMAINS], (), share=2)
    yield Decoder("accept", lambda text: negotiate(text, text[::-1]), lambda: [ACCEPT], ())


def _files() -> Iterator[Decoder]:
    yield Decoder("settings", _settings, lambda: [SETTINGS], (SettingsError,), share=0.2)
    yield Decoder("web_config", _web_config, lambda: WEB_CONFIGS, (SettingsError,), share=0.2)
    yield Decoder("units", _units, lambda: [b"1h30m", b"500ms", b"2 GiB", b"10", b"1.5d"], (ValueError,))
    yield Decoder("addresses", _addresses, lambda: [b"[::]:9787", b"https://mx.test:8080", b":80"], (ValueError,))


def _rest_queue(body: bytes) -> object:
    fold = QueueFold(NOW)
    fold.feed(body)
    return fold.finish(truncated=False)


def _rest_logs(body: bytes) -> object:
    return outcomes_of(line.delivery for line in reversed(parse_log_answer(body).lines))


def _rest_traces(body: bytes) -> object:
    return [outcomes_of(trace.events, AttemptFolder(one_attempt=True)) for trace in parse_traces(body, [1])]


def _rest_report_ids(body: bytes) -> object:
    return parse_report_ids(body, page=1, limit=100)


def _rest_report(kind: ReportKind) -> Callable[[bytes], object]:
    return lambda body: parse_report(kind, "341999512746747036_1797950075", body, now=NOW)


def _jmap_report(kind: ReportKind) -> Callable[[bytes], object]:
    return lambda body: parse_jmap_report(kind, "b2cd3", body)


def _answer(body: bytes) -> object:
    """The length chooses a status and an endpoint."""
    length = len(body)
    status = (200, 200, 200, 301, 400, 401, 402, 403, 404, 429, 500, 999)[length % 12]
    endpoint = list(Endpoint)[length // 12 % len(Endpoint)]
    kind = ("application/json", "text/html", "", "application/problem+json")[length % 4]
    after = body[:6].decode("latin-1")
    check_answer(
        endpoint,
        RawAnswer(status=status, content_type=kind, retry_after=after, body=body, authenticated=length % 2 == 0),
    )
    return None


def _whole(given: bytes, method: str = "x:QueuedMessage/get") -> bytes:
    """The response to a batch of one call."""
    return b'{"methodResponses":[["' + method.encode() + b'",' + given + b',"g"]],"sessionState":"0"}'


def _called(given: bytes, method: str) -> tuple[Answers, Call]:
    return Answers(_whole(given, method)), Call("g", method, {})


def _batch(body: bytes) -> object:
    answers, call = Answers(body), Call("g", "x:QueuedMessage/get", {})
    return answers.failed(call) or messages_of(answers, call)


def _jmap_queue(given: bytes) -> object:
    fold = JmapQueueFold(NOW)
    fold.feed(messages_of(*_called(given, "x:QueuedMessage/get")))
    return fold.finish(truncated=False)


def _jmap_logs(given: bytes) -> object:
    answers, call = _called(given, "x:Log/get")
    return outcomes_of(line.delivery for line in read_log_lines(answers.result(call, _lines).items, "list"))


def _jmap_traces(given: bytes) -> object:
    traces = jmap_traces.read_traces(decode_answer(jmap_traces.traces_decoder, given), {"b": 1, "c": 2})
    return [outcomes_of(trace.events, AttemptFolder(one_attempt=True)) for trace in traces]


def _jmap_stored(given: bytes) -> object:
    answers, call = _called(given, "x:Metric/get")
    rows = answers.result(call, jmap_stored._rows).items
    return [jmap_stored._sample(row, at) for at, row in enumerate(rows)]


def _jmap_native(body: bytes) -> object:
    return [read_native_page(body, names) for names in CounterNames]


def _jmap_inventory(given: bytes) -> object:
    answers, call = _called(given, "x:Task/get")
    found: list[object] = []
    problem: ExporterError | None = None
    for of in (_Task, _Node, _Certificate):
        try:
            found += _objects(answers, call, of)
        except ExporterError as error:
            problem = error
    names = [name for one in found if isinstance(one, _Certificate) for name in one.subject_alternative_names]
    if not found and problem is not None:
        raise problem
    return [_host_name(name) for name in names]


def _sse(stream: bytes) -> object:
    decoder = SseDecoder(most_bytes=MOST_MESSAGE_BYTES)
    return [decoder.feed(stream[at : at + 7]) for at in range(0, len(stream), 7)]


class _Writer(asyncio.StreamWriter):
    """Takes what is sent, and sends it nowhere."""

    def __init__(self) -> None:
        """Needs no transport."""

    def __del__(self, *_: object) -> None:
        """Nothing is open."""

    def write(self, data: Any) -> None:
        """Drops *data*."""

    def writelines(self, data: Any) -> None:
        """Drops *data*."""

    async def drain(self) -> None:
        """There is always room."""

    def is_closing(self) -> bool:
        return False


def _websocket(stream: bytes) -> object:
    async def read() -> list[bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(stream)
        reader.feed_eof()
        protocol = _opened()
        socket = WebSocketStream(reader, _Writer(), protocol, "fuzz")
        messages: list[bytes] = []
        try:
            while True:
                messages += await socket.receive()
        except TargetUnreachable:
            if messages:
                return messages
            raise

    return asyncio.run(read())


def _opened() -> ClientProtocol:
    """A protocol behind its handshake."""
    protocol = ClientProtocol(parse_uri("ws://mx.test/"), max_size=MOST_MESSAGE_BYTES)
    request = protocol.connect()
    protocol.send_request(request)
    protocol.data_to_send()
    accepted = accept_key(request.headers["Sec-WebSocket-Key"])
    head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
    protocol.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n" + head.encode())
    protocol.events_received()
    return protocol


def _frames() -> bytes:
    """What a server sends: a message, one in two parts, a ping and a close."""
    frames = (
        Frame(Opcode.TEXT, b'{"interval":30000}'),
        Frame(Opcode.PING, b"x"),
        Frame(Opcode.TEXT, b"[" + b" " * 200, fin=False),
        Frame(Opcode.CONT, b"]"),
        Frame(Opcode.CLOSE, b"\x03\xe8bye"),
    )
    return b"".join(frame.serialize(mask=False) for frame in frames)


def _live_rest_traces(message: bytes) -> object:
    read = rest_live.read_traces(message)
    return outcomes_of(read.events) if hasattr(read, "events") else read


def _live_jmap_traces(message: bytes) -> object:
    read = jmap_live.read_traces(message, Spans())
    return outcomes_of(read.events) if hasattr(read, "events") else read


def _live_jmap_metrics(message: bytes) -> object:
    return [jmap_live.read_metrics(message, names) for names in CounterNames]


def _repetition(message: bytes) -> object:
    repetition = Repetition()
    longer = message[:-1] + b',{"event":"a.b"}]'
    return [repetition.take(part, "fuzz") for part in (message[:-1] + b" ]", message, longer, longer)]


def _details(text: bytes) -> object:
    details = text.decode("utf-8", "replace")
    reader = DetailsReader(lambda: ((id_, details) for id_ in _EVENTS))
    return [reader.delivery_event(id_, NOW, details) for id_ in _EVENTS]


def _domain(text: bytes) -> object:
    name = domain_name(text.decode("utf-8", "surrogateescape"))
    address = domain_of(text.decode("latin-1"))
    if name is not None:
        assert name.isascii()
        assert domain_name(name) == name
    return name and shown_domain(name), address


def _settings(content: bytes) -> object:
    with written(content) as path:
        return load_settings(path, {})


def _web_config(content: bytes) -> object:
    with written(content) as path:
        return load_web_config(path)


def _units(text: bytes) -> object:
    value = text.decode("utf-8", "replace")
    found: list[object] = []
    for parse in (parse_duration, parse_size):
        try:
            found.append(parse(value))
        except ValueError as error:
            problem = error
    if not found:
        raise problem
    return found


def _addresses(text: bytes) -> object:
    value = text.decode("utf-8", "replace")
    found: list[object] = []
    for parse in (parse_listen, parse_server_url):
        try:
            found.append(parse(value))
        except ValueError as error:
            problem = error
    if not found:
        raise problem
    return found


_EVENTS = tuple(sorted(FOLLOWED_EVENTS))[::6]


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


STORED = _encoded(
    {
        "data": [
            {"type": "counter", "id": "smtp.connection-start", "timestamp": "2026-11-22T14:00:00Z", "value": 7},
            {"type": "gauge", "id": "server.memory", "timestamp": "2026-11-22T14:00:00Z", "value": 65_000_000},
            {"type": "histogram", "id": "message.size", "timestamp": "2026-11-22T14:00:00Z", "count": 3, "sum": 999},
        ]
    }
)
JMAP_STORED = _encoded(
    {
        "list": [
            {"id": "b2", "@type": kind, "metric": metric, "timestamp": "2026-11-22T14:00:00Z", "count": 7, "sum": 9}
            for kind, metric in (("Counter", "smtp.connection-start"), ("Histogram", "message.size"))
        ]
    }
)
LIVE_METRICS = _encoded(
    [
        {"id": "smtp.connection-start", "type": "counter", "value": 7},
        {"id": "server.memory", "type": "gauge", "value": 65_000_000},
        {"id": "message.size", "type": "histogram", "count": 3, "sum": 999},
    ]
)
LIVE_JMAP_METRICS = _encoded(
    [
        {"metric": "smtp.connection-start", "@type": "Counter", "count": 7},
        {"metric": "message.size", "@type": "Histogram", "count": 3, "sum": 999},
    ]
)
SCHEMA = _encoded({"enums": {"MetricType": ["smtp.connection-start", {"name": "queue.count"}], "EventType": ["a.b"]}})
INVENTORY = [
    _encoded({"list": [{"id": "b", "@type": "IndexDocument", "status": {"@type": "Retry"}}]}),
    _encoded({"list": [{"id": "b", "status": "active", "nodeId": 1}]}),
    _encoded({"list": [{"notValidAfter": "2027-01-01T00:00:00Z", "subjectAlternativeNames": {"*.example.org": True}}]}),
]
ERRORS = [
    _encoded({"error": "other", "details": "No log has been configured", "reason": None, "item": "x"}),
    _encoded({"type": "about:blank", "status": 401, "title": "Unauthorized", "detail": "You have to authenticate."}),
    b"<html><title>502</title></html>",
]
FAILURES = [
    b"Unexpected response for RCPT TO:<d@example.com>: Code: 550, Enhanced code: 5.1.1, Message: No such user",
    b"Temporary Failure for mx.x: Connection failed: timeout",
    b'SMTP error occurred (smtp.error) { details = "Unexpected SMTP Response", code = 451, reason = "later" }',
]
DOMAINS = [
    *("example.org", "Bücher.Example.", "[192.0.2.1]", "192.0.2.7", "a b", "xn--bcher-kva.example", "日本語。jp"),
    *("_dmarc.example.test", "עברית.test", "straße.de", "u@x.y", "a" * 63 + ".b"),
]
ACCEPT = b"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1, gzip;q=0"
SETTINGS = b"""
[web]
listen = "127.0.0.1:9787"
[store]
path = "/tmp/history.sqlite3"
[[servers]]
name = "mx1"
url = "https://mx.example.org"
username = "watcher"
password = "secret"
max_domains = 25
[servers.intervals]
queue = "30s"
logs = 60
[servers.streams]
transport = "auto"
"""
WEB_CONFIG = b"""
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: $2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze
"""

TLS_SECTION = b"""
tls_server_config:
  cert_file: web.crt
  key_file: web.key
  min_version: TLS12
  client_auth_type: NoClientCert
"""
WEB_CONFIGS = (WEB_CONFIG, WEB_CONFIG + TLS_SECTION)
