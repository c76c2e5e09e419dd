"""What an idle exporter takes and what an idle minute costs the server."""

from __future__ import annotations

import itertools
import re
import tempfile
import time
from pathlib import Path

from benchmarks.processes import exporter, memory_kib, scrape, stand_in, wait_until
from benchmarks.rows import Row, show

RSS_LIMIT_KIB = 72 * 1024
"""64 MiB without trail, webhooks and domain checks: their code takes 2.4 MiB, dnspython 3 MiB, their state the rest."""
REQUEST_LIMIT = 12
QUEUE_LIMIT = 2


def requests(port: int) -> dict[str, float]:
    """Requests so far by endpoint."""
    found: dict[str, float] = {}
    pattern = r'^stalwart_exporter_api_requests_total\{.*endpoint="(\w+)".*\} (\S+)$'
    for endpoint, count in re.findall(pattern, scrape(port) or "", re.MULTILINE):
        found[endpoint] = found.get(endpoint, 0) + float(count)
    return found


def _minute(port: int) -> dict[str, float]:
    """Requests of the next minute by endpoint."""
    before, began = requests(port), time.monotonic()
    wait_until(lambda: time.monotonic() > began + 60, seconds=90)
    return {endpoint: count - before.get(endpoint, 0) for endpoint, count in requests(port).items()}


def run() -> list[Row]:
    """The minute after the start, and an idle one after that, for both editions of both generations."""
    rows = []
    for version, edition in itertools.product(("0.15.5", "0.16.18"), ("community", "enterprise")):
        with (
            tempfile.TemporaryDirectory() as folder,
            stand_in("--version", version, "--edition", edition) as url,
            exporter(Path(folder), url) as (pid, port),
        ):
            first = _minute(port)
            counted = _minute(port)
            rss = memory_kib(pid)
        rows += [
            Row(
                name=f"v{version} {edition}: requests in the minute after the start",
                ours=sum(first.values()),
                peer=REQUEST_LIMIT,
                unit="",
                peer_name="idle limit",
            ),
            Row(
                name=f"v{version} {edition}: requests in an idle minute",
                ours=sum(counted.values()),
                peer=REQUEST_LIMIT,
                unit="",
                peer_name="limit",
                limit=1,
            ),
            Row(
                name=f"v{version} {edition}: idle RSS",
                ours=rss,
                peer=RSS_LIMIT_KIB,
                unit="KiB",
                peer_name="limit",
                limit=1,
            ),
        ]
        if "queue_messages" in counted:  # From v0.16 on there is one endpoint for everything.
            rows.append(
                Row(
                    name=f"v{version} {edition}: readings of the queue in it",
                    ours=counted["queue_messages"],
                    peer=QUEUE_LIMIT,
                    unit="",
                    peer_name="limit",
                    limit=1,
                )
            )
    return rows


if __name__ == "__main__":
    raise SystemExit(0 if show(run()) else 1)
