"""The server's Prometheus endpoint, in text format 0.0.4, with its deviations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.counters import Histogram, ProcessCounters

_OTHER = re.compile(r"[^A-Za-z0-9]")
_ORDER = {event_id: place for place, event_id in enumerate(catalog.TITLES)}


def render(
    counters: ProcessCounters,
    *,
    enterprise: bool,
    correct: bool,
    alphabetical: bool = False,
    name: Callable[[str], str] = str,
) -> str:
    """
    Return the whole page.

    Counters and histograms appear with their first event. Without `correct`, buckets are not cumulative and the last
    one is labelled `inf`, as on every real server. Counters are in the order of the REST generation, or `alphabetical`
    by their names in it; `name` maps these to current names.
    """
    lines: list[str] = []
    for event_id in sorted(counters.counters, key=lambda e: (0 if alphabetical else _ORDER.get(e, len(_ORDER)), e)):
        lines += _simple(name(event_id), catalog.title(event_id), "counter", counters.counters[event_id])
    for gauge, title in catalog.GAUGES.items():
        if enterprise or gauge not in catalog.ENTERPRISE_GAUGES:
            lines += _simple(gauge, title, "gauge", counters.gauges[gauge])
    for metric, (title, _) in catalog.HISTOGRAMS.items():
        histogram = counters.histograms.get(metric)
        if histogram is not None and (enterprise or metric in catalog.OPEN_SOURCE_HISTOGRAMS):
            lines += _histogram(metric, title, histogram, correct=correct)
    return "\n".join(lines) + "\n"


def exposed_name(metric: str) -> str:
    """Return the name of a metric or event on the page."""
    return _OTHER.sub("_", metric)


def _simple(metric: str, title: str, kind: str, value: int) -> Iterator[str]:
    name = exposed_name(metric)
    yield f"# HELP {name} {title}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"


def _histogram(metric: str, title: str, histogram: Histogram, *, correct: bool) -> Iterator[str]:
    name = exposed_name(metric)
    yield f"# HELP {name} {title}"
    yield f"# TYPE {name} histogram"
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf" if correct else "inf"]
    total = 0
    for bound, own in zip(bounds, histogram.buckets, strict=True):
        total += own
        yield f'{name}_bucket{{le="{bound}"}} {total if correct else own}'
    yield f"{name}_sum {histogram.sum}"
    yield f"{name}_count {histogram.count}"
