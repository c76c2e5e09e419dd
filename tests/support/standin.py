"""Stand-in servers, and an exporter that watches them by the second instead of by the minute."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.simulator import ManualClock, Profile, RequestRecord, StandIn, World
from tests.support.exporter import Exporter, Series, series, wait_until
from tests.support.samples import read_samples

WATCHER = ("watcher", "lab-watcher-secret")
NATIVE = ("prometheus", "lab-prometheus-secret")
VERSIONS = ("0.12.5", "0.15.5")
"""One release of each queue shape."""

RENAMED = {
    "message-ingest.fts-index": "message-ingest.search-index",
    "queue.queue-dsn": "queue.dsn-queued",
    "queue.queue-message": "queue.message-queued",
    "queue.queue-message-authenticated": "queue.authenticated-message-queued",
    "queue.queue-report": "queue.report-queued",
}
"""Events that the newest release, after which the exporter names them, spells in another way."""

DAY_SECONDS = 86_400
QUEUE_PATH = "/api/queue/messages"
COLLECTORS = ("queue", "metrics", "native", "logs", "traces", "failed", "reports", "outgoing", "senders")


def community(version: str = "0.15.5", **changes: Any) -> Profile:
    """A server without the telemetry API."""
    return Profile(version=version, **changes)


def enterprise(version: str = "0.15.5", **changes: Any) -> Profile:
    """A licensed server that keeps traces and metrics."""
    return Profile(version=version, edition="enterprise", metrics_store=True, trace_store=True, **changes)


def server_table(
    url: str,
    *,
    name: str = "mx1",
    login: tuple[str, str] | None = WATCHER,
    native: bool = True,
    every: float | None = 1,
    intervals: dict[str, float] | None = None,
    streams: str = "off",
    **settings: Any,
) -> str:
    """
    One ``[[servers]]`` entry.

    *every* is the interval of all collectors that *intervals* does not name; with ``None`` the defaults hold.
    """
    entry: dict[str, Any] = {"name": name, "url": url, "max_requests_per_minute": 10_000, **settings}
    if login is not None:
        entry["username"], entry["password"] = login
    if native:
        entry["native_username"], entry["native_password"] = NATIVE
    every_collector = {**(dict.fromkeys(COLLECTORS, every) if every else {}), **(intervals or {})}
    return "".join(
        (
            f"[[servers]]\n{_lines(entry)}",
            f"[servers.intervals]\n{_lines(every_collector)}",
            f"[servers.streams]\n{_lines({'transport': streams})}",
        )
    )


def _lines(table: dict[str, Any]) -> str:
    # What JSON writes of strings, numbers and truth values reads the same as TOML.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def mail(server: StandIn, *recipients: str, times: int = 1) -> None:
    """An account writes; what can be delivered at once is."""

    def submit(world: World) -> None:
        for _ in range(times):
            world.submit(list(recipients))
        world.tick()

    server.call(submit)


Values = dict[tuple[str, ...], float]
"""Values by labels."""


@dataclass(frozen=True)
class Scene:
    """A stand-in, and an exporter that watches it under *name*."""

    server: StandIn
    exporter: Exporter
    name: str = "mx1"

    def page(self, path: str = "/metrics") -> str:
        """What the exporter serves."""
        connection = http.client.HTTPConnection("127.0.0.1", self.exporter.port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def samples(self) -> dict[Series, float]:
        """Every sample of the metrics page."""
        return read_samples(self.page())

    def value(self, family: str, /, **labels: str) -> float | None:
        """One sample about this server."""
        return self.samples().get(series(family, server=self.name, **labels))

    def shown(self, family: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The samples of a family about this server that are not zero, by the values of *labels*."""
        found: dict[tuple[str, ...], float] = {}
        for (name, pairs), value in self.samples().items():
            have = dict(pairs)
            if name == family and have.get("server") == self.name and value:
                key = tuple(have[label] for label in labels)
                found[key] = found.get(key, 0) + value
        return found

    def wait_for(self, family: str, wanted: float | Callable[[float], bool], /, **labels: str) -> float:
        """Waits for a sample about this server to have a value, and returns it."""
        last: list[float | None] = [None]

        def reached() -> bool:
            last[0] = value = self.value(family, **labels)
            return value is not None and (wanted(value) if callable(wanted) else value == wanted)

        self.wait(reached, lambda: f"{family}{labels} is {last[0]}, not {wanted}")
        return last[0] or 0.0

    def wait(self, condition: Callable[[], bool], complaint: Callable[[], str]) -> None:
        """Waits for *condition*; fails with *complaint* and the end of the exporter's log."""
        try:
            wait_until(condition, what="")
        except AssertionError:
            raise AssertionError(f"{complaint()}\n{self.exporter.log()[-3000:]}") from None

    def wait_shown(self, family: str, *labels: str, wanted: Values | Callable[[], Values]) -> None:
        """Waits for a family to show exactly *wanted*, zeros aside; a function is asked at each look."""
        last = [""]

        def equal() -> bool:
            shown = self.shown(family, *labels)
            expected = wanted() if callable(wanted) else wanted
            wrong = [key for key in shown.keys() | expected.keys() if shown.get(key) != expected.get(key)]
            last[0] = "; ".join(f"{key}: {shown.get(key)} for {expected.get(key)}" for key in sorted(wrong))
            return not wrong

        self.wait(equal, lambda: f"{family}: shown for what should be: {last[0]}")

    def after_polls(self, *collectors: str) -> None:
        """Returns when each of *collectors* has made a whole run that began after this call."""
        after_polls([self], *collectors)

    def failures(self, collector: str, reason: str) -> float:
        """How often a collector has failed for a reason."""
        name = "stalwart_exporter_collector_failures_total"
        return self.value(name, collector=collector, reason=reason) or 0.0

    def reload(self) -> None:
        """SIGHUP, which also ends the waits of collectors that failed; returns once it is applied."""
        before = len(reloads(self.exporter))
        self.exporter.signal(signal.SIGHUP)
        wait_until(lambda: len(reloads(self.exporter)) > before, what="the exporter has reloaded")

    def mail(self, *recipients: str, times: int = 1) -> None:
        """An account of this server writes to *recipients*."""
        mail(self.server, *recipients, times=times)


def reloads(exporter: Exporter) -> list[dict[str, object]]:
    """The log's events about reloads, good and bad."""
    return [e for e in exporter.events() if e["event"] in ("exporter.reloaded", "exporter.reload_failed")]


@contextmanager
def fleet(
    directory: Path,
    profiles: Mapping[str, Profile],
    *,
    time_stands_still: bool = False,
    before: Callable[[World], object] | None = None,
    **table: Any,
) -> Iterator[dict[str, Scene]]:
    """
    A stand-in of each profile, all watched by one exporter; *table* as for `server_table`.

    *before* happens to each of them before it is watched. Where time stands still, the stand-ins' begins at `tomorrow`
    and moves with `StandIn.advance` alone.
    """
    with ExitStack() as stack:
        servers = {}
        for name, profile in profiles.items():
            clock = ManualClock(tomorrow()) if time_stands_still else None
            servers[name] = stack.enter_context(StandIn(profile, clock=clock))
            if before is not None:
                servers[name].call(before)
        config = "".join(server_table(server.url, name=name, **table) for name, server in servers.items())
        exporter = stack.enter_context(Exporter(directory, config=config))
        yield {name: Scene(server, exporter, name) for name, server in servers.items()}


def tomorrow() -> float:
    """One o'clock of the next day (UTC): ahead of the exporter's clock, and no midnight is near."""
    return (time.time() // DAY_SECONDS + 1) * DAY_SECONDS + 3600


@contextmanager
def watching(directory: Path, profile: Profile, **keywords: Any) -> Iterator[Scene]:
    """One stand-in, watched under the name ``mx1``; keywords as for `fleet`."""
    with fleet(directory, {"mx1": profile}, **keywords) as scenes:
        yield scenes["mx1"]


def wait_good(scenes: Iterable[Scene], *collectors: str) -> None:
    """Waits until each of *collectors* has had its first success with each server: from then on it counts."""
    family = "stalwart_exporter_collector_last_success_timestamp_seconds"
    _wait_runs(scenes, collectors, family, lambda before: before > 0)


def after_polls(scenes: Iterable[Scene], *collectors: str) -> None:
    """Returns when each of *collectors* has made a whole run with each server that began after this call."""
    _wait_runs(scenes, collectors, "stalwart_exporter_collector_duration_seconds_count", None)


def counting(scenes: Iterable[Scene]) -> None:
    """Returns when the exporter counts the deliveries that happen from now on."""
    scenes = list(scenes)
    wait_good(scenes, "logs")
    wait_good([scene for scene in scenes if scene.server.call(lambda world: world.profile.keeps_traces)], "traces")


def _wait_runs(
    scenes: Iterable[Scene], collectors: Sequence[str], family: str, enough: Callable[[float], bool] | None
) -> None:
    scenes = list(scenes)
    if not scenes:
        return
    keys = [series(family, server=scene.name, collector=collector) for scene in scenes for collector in collectors]
    before = scenes[0].samples()
    missing = list(keys)

    def done() -> bool:
        now = scenes[0].samples()
        # The first run to end may have begun before.
        missing[:] = [
            key
            for key in missing
            if not (enough(now.get(key, 0.0)) if enough else now.get(key, 0.0) >= before.get(key, 0.0) + 2)
        ]
        return not missing

    scenes[0].wait(done, lambda: f"no run of {missing}")


def outcomes(server: StandIn) -> dict[tuple[str, ...], float]:
    """What became of recipients, by outcome, reason and code, as the stand-in knows it."""
    return _summed(server, lambda key: (key.outcome, key.reason, key.code))


def outcomes_by_domain(server: StandIn) -> dict[tuple[str, ...], float]:
    """The same by domain and outcome."""
    return _summed(server, lambda key: (key.domain or "unknown", key.outcome))


def _summed(server: StandIn, read: Callable[[Any], tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    totals: Counter[tuple[str, ...]] = Counter()
    for key, count in server.call(lambda world: dict(world.ledger.deliveries)).items():
        totals[read(key)] += count
    return dict(totals)


def asked(server: StandIn, path: str) -> list[RequestRecord]:
    """The requests for *path* so far."""
    return [request for request in server.requests if request.path == path]


def refused(server: StandIn, *statuses: int) -> Counter[tuple[str, int]]:
    """How often each path was answered with one of *statuses*, to somebody who had logged in."""
    return Counter(
        (request.path, request.status)
        for request in server.requests
        if request.status in statuses and request.scheme != "none"
    )
