"""``Accept`` and ``Accept-Encoding``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.interfaces import Format
from exporter.web.negotiation import negotiate

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
TEXT, OPENMETRICS = Format.TEXT, Format.OPENMETRICS

PROMETHEUS = {
    "2.5": ("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", TEXT),
    "2.30": (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPENMETRICS,
    ),
    "2.42 with native histograms": (
        f"{PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPENMETRICS,
    ),
    "2.49": (
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "3.0": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "3.0 with native histograms": (
        f"{PROTOBUF};q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "3 with the text formats first": (
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,"
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.3",
        TEXT,
    ),
    "3 with PrometheusText1.0.0 only": ("text/plain;version=1.0.0;escaping=underscores;q=0.6,*/*;q=0.5", TEXT),
    "3 with PrometheusProto only": (f"{PROTOBUF};q=0.6,*/*;q=0.5", TEXT),
}


@pytest.mark.parametrize(("accept", "expected"), PROMETHEUS.values(), ids=PROMETHEUS)
def test_prometheus_is_given_the_format_it_prefers_of_the_two(accept, expected):
    """Each generation's real header ends in OpenMetrics 1.0.0 where it ranks first of what we have, else in text."""
    assert negotiate(accept.encode(), b"")[0] is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", TEXT),
        ("text/plain", TEXT),
        ("text/*;q=0.3", TEXT),
        ("application/*", TEXT),
        ("application/json", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ('Application/OpenMetrics-Text ; Version="1.0.0" ; charset=utf-8', OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=0, text/plain;q=0", TEXT),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.5", TEXT),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.2", OPENMETRICS),
        ("application/openmetrics-text, text/plain", OPENMETRICS),
        ("application/openmetrics-text;q=0.5, */*;q=0.9", TEXT),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.1, */*;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.1, text/plain;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=0.5, text/plain;version=1.0.0;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=nan, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=7, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=, text/plain;q=0.1", TEXT),
        (",;,;q=1,=;==,", TEXT),
    ],
)
def test_a_format_is_chosen_by_weight_of_its_most_exact_range(accept, expected):
    """OpenMetrics must be named and weigh as much as text's most exact range; malformed weights count for nothing."""
    assert negotiate(accept.encode(), b"")[0] is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0.001", True),
        ("gzip;q=0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("identity;q=0, *", True),
        ("identity;q=1, gzip;q=0.5", False),
        ("identity;q=0.5, gzip;q=1", True),
        ("deflate, br", False),
        ("gzip;q=x", False),
    ],
)
def test_gzip_is_for_clients_that_prefer_it_to_plain(accept_encoding, expected):
    """Compression needs a weight above zero, by name or by wildcard, that is no smaller than plain's own."""
    assert negotiate(b"", accept_encoding.encode())[1] is expected


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_header_gives_an_answer(accept, accept_encoding):
    """No header, however broken, is an error; and asking again gives the same answer."""
    answer = negotiate(accept, accept_encoding)

    assert answer[0] in Format
    assert negotiate(accept, accept_encoding) == answer


def test_a_header_of_any_length_is_read():
    """A range behind thousands of others still counts."""
    accept = b"application/json," * 2000 + b"application/openmetrics-text"

    assert negotiate(accept, b"") == (OPENMETRICS, False)
