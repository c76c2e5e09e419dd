"""Metrics of the exporter's process, platform and garbage collector, from prometheus_client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client import generate_latest as generate_text
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter.collectors.exposition import Format

END = b"# EOF\n"


class OwnRegistry:
    """Rendered metric families of this process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def families(self, fmt: Format) -> bytes:
        """Return the families in *fmt*, without the end marker."""
        if fmt is Format.OPENMETRICS:
            document: bytes = generate_openmetrics(self._registry)  # type: ignore[no-untyped-call]
            return document.removesuffix(END)
        return generate_text(self._registry)
