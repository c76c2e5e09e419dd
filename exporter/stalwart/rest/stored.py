"""
Parsing of stored metrics: increments since the previous sample, and gauge readings.

Contract: Stalwart v0.10-v0.15, Enterprise, ``GET /api/telemetry/metrics``, ascending. The nodes of a cluster write
samples side by side without naming the node, so samples of equal id and time are all kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from exporter.errors import PayloadError
from exporter.model.telemetry import StoredSample
from exporter.stalwart.common.timestamps import utc_second
from exporter.stalwart.events.names import COUNTERS, GAUGES, HISTOGRAMS, canonical_event
from exporter.stalwart.http.responses import decode_response

UNDERFLOW = 2**63

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Sample(msgspec.Struct, gc=False):
    type: str
    id: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    value: _Count | None = None
    count: _Count | None = None
    sum: _Count | None = None


class _Samples(msgspec.Struct):
    data: list[_Sample]


_decoder = msgspec.json.Decoder(_Samples)


def parse_stored_metrics(body: bytes) -> list[StoredSample]:
    """Parse the samples of known metrics, in the server's order. Raises `PayloadError` with the faulty path."""
    samples = []
    for index, raw in enumerate(decode_response(_decoder, body).data):
        sample = _sample(raw, f"data[{index}]")
        if sample is not None:
            samples.append(sample)
    return samples


def _sample(raw: _Sample, path: str) -> StoredSample | None:
    """Convert a sample; ``None`` for an unknown kind or id, and for a gauge that has wrapped below zero."""
    id_ = canonical_event(raw.id) or raw.id
    if raw.type == "histogram" and id_ in HISTOGRAMS:
        return StoredSample(
            taken_at=utc_second(raw.timestamp, path, "timestamp"),
            kind=raw.type,
            id=id_,
            value=_present(raw.sum, f"{path}.sum"),
            count=_present(raw.count, f"{path}.count"),
        )
    if (raw.type == "counter" and id_ in COUNTERS) or (raw.type == "gauge" and id_ in GAUGES):
        value = _present(raw.value, f"{path}.value")
        if raw.type == "gauge" and value >= UNDERFLOW:
            return None
        return StoredSample(taken_at=utc_second(raw.timestamp, path, "timestamp"), kind=raw.type, id=id_, value=value)
    return None


def _present(value: int | None, path: str) -> int:
    if value is None:
        raise PayloadError(f"{path}: missing")
    return value
