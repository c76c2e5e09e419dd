"""
Two compressed days beside servers of both generations and editions: nothing that the exporter holds may grow.

The first day fills histories, caches and label sets. Over the second, the slopes of memory, descriptors, threads and
tasks are fitted (Theil-Sen, which outliers do not move) and compared with what is allowed. ``python -m benchmarks.soak
[minutes]`` sets how long both days last together, ten minutes by default.
"""

from __future__ import annotations

import itertools
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.processes import fleet_exporter, memory_kib, scrape, stand_in, wait_until
from benchmarks.rows import Row, show

MINUTES = 10.0
DAYS = 2
SAMPLE_SECONDS = 2.0
SERVERS = (("0.15.5", "enterprise"), ("0.16.18", "community"))
COLLECTORS = ("queue", "metrics", "native", "logs", "traces", "failed", "reports", "outgoing", "inventory")

GROWTH_LIMITS = {"memory": 2048.0, "descriptors": 0.5, "threads": 0.5, "tasks": 0.5}
"""What each may grow by over the second day: KiB for memory, else a number that rounds to none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the exporter holds, by the names of `GROWTH_LIMITS`, *at* seconds after the start."""

    at: float
    held: Mapping[str, float]


def read(pid: int, port: int, started: float) -> Reading | None:
    """Return what the exporter holds now, or ``None`` where a scrape fails."""
    page = scrape(port) or ""
    tasks = re.search(r"^stalwart_exporter_tasks (\S+)$", page, re.MULTILINE)
    if tasks is None:
        return None
    held = {
        "memory": memory_kib(pid),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "tasks": float(tasks[1]),
    }
    return Reading(time.monotonic() - started, held)


def growth(readings: Sequence[Reading], field: str) -> float:
    """Return by how much *field* grew from the first of *readings* to the last, as the median of all slopes says."""
    points = [(reading.at, reading.held[field]) for reading in readings]
    slopes = [(later - earlier) / (to - at) for (at, earlier), (to, later) in itertools.combinations(points, 2)]
    return statistics.median(slopes) * (points[-1][0] - points[0][0])


def run(minutes: float = MINUTES) -> list[Row]:
    """Both days; a row per quantity."""
    seconds = minutes * 60
    speed = str(DAYS * 86_400 / seconds)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {
            f"v{version} {edition}": stack.enter_context(
                stand_in("--version", version, "--edition", edition, "--speed", speed, script=True)
            )
            for version, edition in SERVERS
        }
        pid, port = stack.enter_context(fleet_exporter(Path(folder), servers, every=dict.fromkeys(COLLECTORS, 2)))
        readings = _readings(pid, port, seconds)
        page = scrape(port) or ""
    up = len(re.findall(r"^stalwart_up\{.*\} 1(?:\.0)?$", page, re.MULTILINE))
    rows = [
        Row(
            name=f"growth of {field} over the second day",
            ours=max(0.0, growth(readings[len(readings) // 2 :], field)),
            peer=limit,
            unit="KiB" if field == "memory" else "",
            peer_name="limit",
            limit=1,
        )
        for field, limit in GROWTH_LIMITS.items()
    ]
    watched = Row(
        name="servers watched by one that are up at the end",
        ours=len(servers),
        peer=max(up, 0.001),
        unit="",
        peer_name="up",
        limit=1,
    )
    return [watched, *rows]


def is_past(due: float) -> bool:
    """Return whether *due* (monotonic seconds) is over."""
    return time.monotonic() >= due


def _readings(pid: int, port: int, seconds: float) -> list[Reading]:
    readings: list[Reading] = []
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        due = time.monotonic() + SAMPLE_SECONDS
        if (reading := read(pid, port, started)) is not None:
            readings.append(reading)
        wait_until(partial(is_past, due), seconds=60)
    return readings


if __name__ == "__main__":
    raise SystemExit(0 if show(run(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES)) else 1)
