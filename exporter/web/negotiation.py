"""Selects the exposition format from ``Accept`` and ``Accept-Encoding``, as defined in RFC 9110."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from exporter.web.interfaces import Format

CACHE_ENTRIES = 64
CACHED_LENGTH = 2048

_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def negotiate(accept: bytes, accept_encoding: bytes) -> tuple[Format, bool]:
    """
    Return the format, and whether to compress with gzip.

    The arguments are the headers' values joined with commas, empty if missing. OpenMetrics is used only for clients
    that name it: a wildcard means the text format, as does a client that accepts neither. Prometheus always sends the
    same headers, so the last results are cached.
    """
    if len(accept) + len(accept_encoding) > CACHED_LENGTH:
        return _negotiate(accept, accept_encoding)
    return _negotiate_cached(accept, accept_encoding)


def _negotiate(accept: bytes, accept_encoding: bytes) -> tuple[Format, bool]:
    return _choose_format(accept.decode("latin-1")), _wants_gzip(accept_encoding.decode("latin-1"))


_negotiate_cached = lru_cache(maxsize=CACHE_ENTRIES)(_negotiate)


def _choose_format(accept: str) -> Format:
    text_rank, text_weight = -1, 0.0
    openmetrics_weight = 0.0
    for media_range, parameters, weight in _elements(accept):
        if media_range == "application/openmetrics-text":
            if parameters.get("version", "1.0.0") == "1.0.0":
                openmetrics_weight = max(openmetrics_weight, weight)
        elif (rank := _text_rank(media_range, parameters)) > text_rank:
            text_rank, text_weight = rank, weight
    if openmetrics_weight > 0 and openmetrics_weight >= text_weight:
        return Format.OPENMETRICS
    return Format.TEXT


def _text_rank(media_range: str, parameters: Mapping[str, str]) -> int:
    """Return how specifically a media range matches the text format, or -1; the most specific weight counts."""
    if media_range == "text/plain":
        version = parameters.get("version")
        return {None: 2, "0.0.4": 3}.get(version, -1)
    return {"text/*": 1, "*/*": 0}.get(media_range, -1)


def _wants_gzip(accept_encoding: str) -> bool:
    weights = {coding: weight for coding, _, weight in _elements(accept_encoding)}
    gzip = max(weights.get("gzip", -1.0), weights.get("x-gzip", -1.0))
    if gzip < 0:
        gzip = weights.get("*", 0.0)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _elements(header: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Yield each element's lower-case name, parameters and weight; elements with a malformed weight are skipped."""
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        parameters = dict(_parameter(part) for part in rest)
        weight = parameters.get("q", "1")
        if name and _WEIGHT.fullmatch(weight):
            yield name.lower(), parameters, float(weight)


def _parameter(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=")
    return key.strip().lower(), value.strip().strip('"').lower()
