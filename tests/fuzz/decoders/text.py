"""Text: log details, errors, domains and headers."""

from __future__ import annotations

from collections.abc import Iterator

from structlog.testing import capture_logs

from exporter.domains import domain_name, domain_of, shown_domain
from exporter.stalwart.events.failures import classify_failure
from exporter.stalwart.events.log_details import DetailsReader
from exporter.stalwart.events.log_lines import _version
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS
from exporter.stalwart.http.server_clock import ServerClock
from exporter.web.config.basic_auth import _parse_basic
from exporter.web.negotiation import negotiate
from tests.fuzz import samples
from tests.fuzz.decoder import NOW, Decoder, text_of
from tests.support.virtual_time import HandClock

_EVENTS = tuple(sorted(FOLLOWED_EVENTS))[::6]


def decoders() -> Iterator[Decoder]:
    """Every decoder of text."""
    yield Decoder("log.details", _details, samples.details, (), share=2)
    yield Decoder("failure", lambda text: classify_failure(text_of(text)), lambda: FAILURES, ())
    yield Decoder("domain", _domain, lambda: [name.encode() for name in DOMAINS], (), share=2)
    yield Decoder("accept", lambda text: negotiate(text, text[::-1]), lambda: [ACCEPT], ())
    yield Decoder("date", _date, lambda: DATES, ())
    yield Decoder("log.version", lambda text: _version(text_of(text)), lambda: VERSIONS, ())
    yield Decoder("basic", _parse_basic, lambda: [b"Basic YWxpY2U6c2VjcmV0"], ())


def _details(text: bytes) -> object:
    details = text_of(text)
    reader = DetailsReader(lambda: ((id_, details) for id_ in _EVENTS))
    return [reader.delivery_event(id_, NOW, details) for id_ in _EVENTS]


def _domain(text: bytes) -> object:
    name = domain_name(text.decode("utf-8", "surrogateescape"))
    address = domain_of(text.decode("latin-1"))
    if name is not None:
        assert name.isascii()
        assert domain_name(name) == name
    return name and shown_domain(name), address


def _date(text: bytes) -> object:
    """The server's clock after a response with such headers, which the next response must be able to correct."""
    clock = ServerClock(HandClock(NOW))
    date, _, age = text.decode("latin-1").partition("|")
    with capture_logs():
        clock.learn_date(date, asked_at=-0.5, age=age)
        learned = clock.skew_seconds
        assert 1999 <= clock.now().year <= 2100
        clock.learn_date("Sun, 22 Nov 2026 15:00:00 GMT", asked_at=-0.5)
    assert abs(clock.now() - NOW).total_seconds() < 2
    return learned


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

DATES = [b"Sun, 22 Nov 2026 14:40:16 GMT", b"Sunday, 22-Nov-26 14:40:16 GMT|", b"Sun Nov 22 14:40:16 2026|86400"]

VERSIONS = [b'version = "0.15.5"', b'hostname = "mx.test", version = "0.16.18"']
