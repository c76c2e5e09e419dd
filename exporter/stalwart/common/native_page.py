"""
A parser for the server's own Prometheus page, which repairs its histograms.

Contract: Stalwart v0.10-v0.16, ``GET /metrics/prometheus``; tests/recordings/*/native.txt. Names are ids with
underscores in place of punctuation. Buckets are not cumulative, and the last is called ``inf``; should a release send
cumulative ones with ``+Inf``, as Prometheus defines them, the values show it. Up to v0.11.1 they contain sums of values
and are unusable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from exporter.errors import PayloadError
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.stalwart.events.names import native_metric

UNDERFLOW = 2**63
"""A gauge this large has wrapped below zero, so its value is unknown."""

TORN = 8
"""The most that a histogram's buckets may differ from its count: observations while the page was being written."""

_TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) ([a-z]+)\Z")
_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{le="([^"]*)"\}|(\{.*\}))? ([0-9.eE+-]{1,32})\Z')
_INFINITY = frozenset({"inf", "+inf"})
_PARTS = ("_bucket", "_sum", "_count")


@dataclass(slots=True)
class _Histogram:
    bounds: list[int] = field(default_factory=list)
    buckets: list[int] = field(default_factory=list)
    closed: bool = False
    sum: int = -1
    count: int = -1


def parse_native_page(body: bytes) -> ServerTotals:
    """Parse the page. Raises `PayloadError` with the number of the invalid line."""
    return _PageReader().read(body)


class _PageReader:
    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._gauges: dict[str, int] = {}
        self._histograms: dict[str, _Histogram] = {}
        self._unknown = 0
        self._name = self._kind = self._id = ""
        self._sampled = True

    def read(self, body: bytes) -> ServerTotals:
        text = _text(body)
        number = 0
        for number, line in enumerate(text.split("\n")[:-1], 1):
            if line.startswith("# TYPE "):
                self._begin_family(line, number)
            elif line and not line.startswith("#"):
                self._sample(line, number)
        if not self._name or not self._sampled:
            raise _problem(number, "the page ends before a metric's value")
        return ServerTotals(
            counters=self._counters,
            gauges={id_: value for id_, value in self._gauges.items() if value < UNDERFLOW},
            histograms={id_: _totals(histogram) for id_, histogram in self._histograms.items()},
            unknown={"native_metric": self._unknown} if self._unknown else {},
        )

    def _begin_family(self, line: str, number: int) -> None:
        declared = _TYPE.match(line)
        if declared is None or not self._sampled:
            raise _problem(number, "a metric without a value" if declared else "not a type")
        self._name, kind = declared.groups()
        known = native_metric(self._name)
        if known is None or known[0] != kind:
            self._unknown += 1
            self._kind = self._id = ""
        else:
            self._kind, self._id = known
        self._sampled = False

    def _sample(self, line: str, number: int) -> None:
        found = _SAMPLE.match(line)
        if found is None:
            raise _problem(number, "not a sample")
        name, bound, labels, digits = found.groups()
        value = _whole_number(digits, number)
        suffix = name.removeprefix(self._name)
        if not self._name or not name.startswith(self._name) or suffix not in ("", *_PARTS):
            self._unknown += 1
            return
        self._sampled = True
        if self._kind and labels is not None:
            self._unknown += 1
        elif self._kind == "histogram":
            self._add_to_histogram(suffix, bound, value, number)
        elif self._kind and suffix == "":
            self._add_single(value, number)

    def _add_single(self, value: int, number: int) -> None:
        values = self._counters if self._kind == "counter" else self._gauges
        if self._id in values:
            raise _problem(number, "a second value for one metric")
        values[self._id] = value

    def _add_to_histogram(self, suffix: str, bound: str | None, value: int, number: int) -> None:
        histogram = self._histograms.setdefault(self._id, _Histogram())
        if suffix == "_sum" and histogram.sum < 0:
            histogram.sum = value
        elif suffix == "_count" and histogram.count < 0:
            histogram.count = value
        elif suffix == "_bucket" and bound is not None and not histogram.closed:
            histogram.closed = bound.lower() in _INFINITY
            histogram.buckets.append(value)
            if not histogram.closed:
                histogram.bounds.append(_whole_number(bound, number))
        else:
            raise _problem(number, "not a histogram's next line")
        # A histogram without both of these has been truncated.
        self._sampled = histogram.sum >= 0 and histogram.count >= 0


def _totals(histogram: _Histogram) -> HistogramTotals:
    counts = _own_counts(histogram)
    if counts is None:
        return HistogramTotals(sum=histogram.sum, count=histogram.count)
    return HistogramTotals(sum=histogram.sum, count=sum(counts), bounds=tuple(histogram.bounds), counts=counts)


def _own_counts(histogram: _Histogram) -> Sequence[int] | None:
    """Return the count of each bucket alone; ``None`` if it cannot be determined."""
    buckets, bounds, count = histogram.buckets, histogram.bounds, histogram.count
    if not histogram.closed or any(low >= high for low, high in pairwise(bounds)):
        return None
    cumulated = None
    if all(low <= high for low, high in pairwise(buckets)):
        cumulated = (buckets[0], *(high - low for low, high in pairwise(buckets)))
    total = sum(buckets)
    if total == count:
        return tuple(buckets)
    if buckets[-1] == count and cumulated is not None:
        return cumulated
    if abs(total - histogram.sum) <= abs(total - count):
        return None  # Sums of values, not counts.
    if abs(total - count) <= TORN:
        return tuple(buckets)
    if abs(buckets[-1] - count) <= TORN:
        return cumulated
    return None


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _problem(body.count(b"\n", 0, error.start) + 1, "not UTF-8") from error
    if not text.endswith("\n"):
        raise _problem(text.count("\n") + 1, "the page is cut short" if text else "an empty page")
    return text


def _whole_number(digits: str, number: int) -> int:
    """Parse a value; one written as a whole number stays exact."""
    if digits.isascii() and digits.isdigit():
        return int(digits)
    try:
        value = float(digits)
        whole = int(value)
    except (ValueError, OverflowError) as error:
        raise _problem(number, "not a number") from error
    if value < 0:
        raise _problem(number, "a negative number")
    return whole


def _problem(number: int, what: str) -> PayloadError:
    return PayloadError(f"line {max(number, 1)}: {what}")
