"""Decoders of little: headers, tokens, answers of a field or two, files of an operator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from exporter.errors import ExporterError, SettingsError
from exporter.settings.secret import read_secret
from exporter.stalwart import detect
from exporter.stalwart.allowlist import Endpoint, target_of
from exporter.stalwart.answers import decode_answer
from exporter.stalwart.jmap.live_client import _read_token as read_jmap_token
from exporter.stalwart.jmap.paging import found_decoder
from exporter.stalwart.log_lines import _version
from exporter.stalwart.rest import client as rest_client
from exporter.stalwart.rest import queue_walk
from exporter.stalwart.rest.live_client import _token as rest_token
from exporter.stalwart.rest.stamps import UnreadableStamp, in_order, unix_sum
from exporter.stalwart.server_clock import ServerClock
from exporter.stalwart.websocket import _parse_head
from exporter.web import verdict
from exporter.web.basic_auth import _parse_basic
from exporter.web.verdict.thresholds import load_thresholds
from tests.fuzz.decoder import Decoder, written

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
SHIPPED_THRESHOLDS = Path(verdict.__file__).with_name("thresholds.json")


def decoders() -> Iterator[Decoder]:
    """All of them."""
    yield Decoder("rest.small", _rest_small, lambda: SMALL_ANSWERS)
    yield Decoder("rest.stamps", _stamps, lambda: [STAMPS], (UnreadableStamp,))
    yield Decoder("jmap.found", lambda body: decode_answer(found_decoder, body), lambda: [FOUND])
    yield Decoder("stream.token", _token, lambda: TOKENS)
    yield Decoder("websocket.head", lambda head: _parse_head(head, "fuzz"), lambda: [HANDSHAKE])
    yield Decoder("date", _date, lambda: DATES, ())
    yield Decoder("log.version", lambda text: _version(text.decode("utf-8", "replace")), lambda: VERSIONS, ())
    yield Decoder("basic", _parse_basic, lambda: [b"Basic YWxpY2U6c2VjcmV0"], ())
    yield Decoder("thresholds", _thresholds, lambda: [SHIPPED_THRESHOLDS.read_bytes()], (SettingsError,), share=0.2)
    yield Decoder("secret", _secret, lambda: [b"\xef\xbb\xbfS3cr3t\r\n", b"S3cr3t"], (ValueError,), share=0.2)


def _any_of(readers: Sequence[Callable[[], object]]) -> list[object]:
    """What those of *readers* give that can read it; the error of the last one if none can."""
    found: list[object] = []
    problem: ExporterError | None = None
    for read in readers:
        try:
            found.append(read())
        except ExporterError as error:
            problem = error
    if not found and problem is not None:
        raise problem
    return found


def _rest_small(body: bytes) -> object:
    each = (rest_client._running, rest_client._outgoing, queue_walk._ids, detect._session, detect._version)
    return _any_of([lambda decoder=decoder: decode_answer(decoder, body) for decoder in each])


def _stamps(text: bytes) -> object:
    ordered, total = in_order(text.decode("utf-8", "replace").split(","))
    assert unix_sum(ordered) == total
    return ordered


def _token(body: bytes) -> object:
    """The token of either generation, and the address that it opens a stream with."""
    tokens = _any_of(
        [
            lambda: decode_answer(rest_token, body).data,
            lambda: read_jmap_token(Endpoint.JMAP_METRICS_TOKEN, body),
        ]
    )
    targets = [target_of(Endpoint.LIVE_METRICS, {"token": str(token)}, ()) for token in tokens if token]
    assert all(target.isascii() and target.isprintable() for target in targets)
    return targets


class _StillClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 100.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def _date(text: bytes) -> object:
    """The server's clock after a response with such headers, which the next response must be able to correct."""
    clock = ServerClock(_StillClock())
    date, _, age = text.decode("latin-1").partition("|")
    with capture_logs():
        clock.learn_date(date, asked_at=99.5, age=age)
        learned = clock.skew_seconds
        assert 1999 <= clock.now().year <= 2100
        clock.learn_date("Sun, 22 Nov 2026 15:00:00 GMT", asked_at=99.5)
    assert abs(clock.now() - NOW).total_seconds() < 2
    return learned


def _thresholds(content: bytes) -> object:
    with written(content) as path:
        return load_thresholds(path)


def _secret(content: bytes) -> object:
    with written(content) as path:
        return read_secret(path)


SMALL_ANSWERS = [
    b'{"data":true}',
    b'{"data":{"items":["d_1795360200_1796000000","t_2_3"],"total":2}}',
    b'{"data":{"items":[342000880582656668,1],"total":2}}',
    b'{"capabilities":{"urn:ietf:params:jmap:core":{}},"apiUrl":"https://mx.test/jmap/"}',
    b'{"data":{"permissions":["authenticate","logs-view"],"isEnterprise":true,"version":"0.15.5"}}',
]
STAMPS = b"2026-11-22T14:00:00Z,2026-11-22T14:00:00.5Z,2026-11-22T16:00:00+02:00,2026-11-22T14:59:59Z"
FOUND = b'{"ids":["b2cd3","b2cd4"],"total":2,"limit":5000,"position":0}'
TOKENS = [b'{"data":"v1.aGVsbG8-x_y"}', b"v1.aGVsbG8-x_y\n"]
HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x=\r\n\r\n"
DATES = [b"Sun, 22 Nov 2026 14:40:16 GMT", b"Sunday, 22-Nov-26 14:40:16 GMT|", b"Sun Nov 22 14:40:16 2026|86400"]
VERSIONS = [b'version = "0.15.5"', b'hostname = "mx.test", version = "0.16.18"']
