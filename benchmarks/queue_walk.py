"""
A long queue walked by the exporter as a process: memory, processor time, and scrapes meanwhile.

The peer is typed msgspec decoding of the very same pages, every documented field into its type, and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.processes import cpu_seconds, exporter, memory_kib, reset_peak, sample, stand_in, wait_until
from benchmarks.rows import Row, show
from benchmarks.traffic.wire_types import JmapAnswer, Page

GROWTH_LIMIT_KIB = 32 * 1024
P99_LIMIT_MS = 50.0
LOGIN = base64.b64encode(b"watcher:lab-watcher-secret").decode()


def decoding_seconds(url: str, messages: int) -> float:
    """Processor time of typed decoding alone, over pages as the exporter asks for them."""
    decoder = msgspec.json.Decoder(Page)
    total, start, seen = 0.0, 0, 0
    while seen < messages:
        query = f"/api/queue/messages?values=1&limit=5000&max-total=5000&range-start={start}"
        request = urllib.request.Request(url + query, headers={"Authorization": f"Basic {LOGIN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        began = time.process_time()
        page = decoder.decode(body)
        total += time.process_time() - began
        seen += len(page.data.items)
        start = page.data.items[-1].id + 1
    return total


def jmap_decoding_seconds(url: str, messages: int) -> float:
    """The same of the answers of v0.16, whose pages begin after the last message of the one before."""
    decoder = msgspec.json.Decoder(JmapAnswer)
    headers = {"Authorization": f"Basic {LOGIN}", "Content-Type": "application/json"}
    total, seen = 0.0, 0
    place: dict[str, object] = {}
    while seen < messages:
        query = {"sort": [{"property": "due", "isAscending": True}], "limit": 500, **place}
        rows = {"#ids": {"resultOf": "q", "name": "x:QueuedMessage/query", "path": "/ids"}}
        calls = [["x:QueuedMessage/query", query, "q"], ["x:QueuedMessage/get", rows, "g"]]
        body = msgspec.json.encode({"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"], "methodCalls": calls})
        request = urllib.request.Request(url + "/jmap/", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            page = answer.read()
        began = time.process_time()
        items = decoder.decode(page).method_responses[1][1].items
        total += time.process_time() - began
        seen += len(items)
        place = {"anchor": items[-1].id, "anchorOffset": 1}
    return total


@dataclass(frozen=True)
class Generation:
    """A release, and its peer."""

    version: str
    decoding: Callable[[str, int], float]


REST = Generation("0.15.5", decoding_seconds)
JMAP = Generation("0.16.18", jmap_decoding_seconds)


class Scraper(threading.Thread):
    """Scrapes all the while and remembers how long each took, in milliseconds."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._ended = threading.Event()
        self.milliseconds: list[float] = []

    def run(self) -> None:
        while not self._ended.wait(0.02):
            began = time.perf_counter()
            self._connection.request("GET", "/metrics")
            self._connection.getresponse().read()
            self.milliseconds.append((time.perf_counter() - began) * 1000)

    def end(self) -> float:
        """Ends it; the 99th percentile."""
        self._ended.set()
        self.join(60)
        self._connection.close()
        return statistics.quantiles(self.milliseconds, n=100)[98]


def walk(messages: int, generation: Generation = REST) -> list[Row]:
    """One walk of so many messages."""
    settings = (
        f"max_queue_messages = {messages}\nmax_requests_per_minute = 10000\n[servers.intervals]\n"
        'queue = "20s"\nlogs = "1d"\nnative = "1d"\nmetrics = "1d"\ntraces = "1d"\noutgoing = "1d"\nfailed = "1d"\n'
    )
    with tempfile.TemporaryDirectory() as folder, _serving(generation, messages) as url:
        decoding = generation.decoding(url, messages)
        with exporter(Path(folder), url, settings) as (pid, port):
            wait_until(lambda: sample(port, 'stalwart_queue_messages{server="mx1"}') == messages)
            assert sample(port, 'stalwart_queue_truncated{server="mx1"}') == 1
            runs = 'stalwart_exporter_collector_duration_seconds_count{server="mx1",collector="queue"}'
            before = sample(port, runs) or 0
            idle = memory_kib(pid)
            reset_peak(pid)
            scraper = Scraper(port)
            scraper.start()
            wait_until(lambda: (sample(port, runs) or 0) > before, pause_seconds=0.5)
            p99 = scraper.end()
            growth = memory_kib(pid, "VmHWM") - idle
            quiet = _quiet_poll_seconds(pid, port, runs)
    name = f"queue of {messages:,} messages in v{generation.version}".replace(",", " ")
    return [
        Row(
            name=f"{name}: CPU of a whole poll",
            ours=quiet,
            peer=decoding,
            unit="s",
            peer_name="typed decoding",
            limit=1.5,
        ),
        Row(
            name=f"{name}: growth of peak RSS",
            ours=growth,
            peer=GROWTH_LIMIT_KIB,
            unit="KiB",
            peer_name="limit",
            limit=1,
        ),
        Row(name=f"{name}: scrape meanwhile, p99", ours=p99, peer=P99_LIMIT_MS, unit="ms", peer_name="limit", limit=1),
    ]


def _serving(generation: Generation, messages: int) -> contextlib.AbstractContextManager[str]:
    return stand_in("--version", generation.version, "--synthetic-queue", str(messages + 1000))


def _quiet_poll_seconds(pid: int, port: int, runs: str) -> float:
    """Processor time of a poll that nobody scrapes during."""
    before = sample(port, runs) or 0
    began = cpu_seconds(pid)
    wait_until(lambda: (sample(port, runs) or 0) > before, pause_seconds=5)
    return cpu_seconds(pid) - began


def run() -> list[Row]:
    """Both lengths, and the shorter one in the newer generation too."""
    return [*walk(100_000), *walk(100_000, JMAP), *walk(1_000_000)]


if __name__ == "__main__":
    raise SystemExit(0 if show(run()) else 1)
