"""Pages that are slow or large."""

from __future__ import annotations

from exporter.web.interfaces import Format
from tests.support.listener.app import FixedMetrics

GET_HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"


def big_metrics(size: int) -> FixedMetrics:
    """A page that no socket buffer takes whole."""
    return FixedMetrics({(Format.TEXT, False): b"x" * size})
