"""Against a server that answers as a recorded one of v0.16 did, and through an upgrade to it."""

from __future__ import annotations

import base64
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.generations.test_recordings import WITHIN_SECONDS, facts
from tests.support.exporter import Exporter, Series, series, wait_until
from tests.support.paths import RECORDINGS
from tests.support.replays.jmap import WATCHER_KEY, Asked, JmapServer
from tests.support.replays.jmap_http import Response, serving
from tests.support.replays.rest import Replay

RECORDING = "jmap-0.16.18"
ALLOWED = re.compile(r"GET /(api/queue/status|jmap/session|api/account|api/schema|metrics/prometheus)$|POST /jmap/$")
READS = re.compile(r"x:\w+/(get|query)$")
WRONG_NAMES = {"MetricType": [{"name": "auth.failed"}]}


def environment(url: str, **login: str) -> dict[str, str]:
    """One server by environment alone."""
    return {
        "STALWART_EXPORTER_URL": url,
        "STALWART_EXPORTER_NAME": "mx1",
        "STALWART_EXPORTER_NATIVE_USERNAME": "prometheus",
        "STALWART_EXPORTER_NATIVE_PASSWORD": "lab-prometheus-secret",
        **({f"STALWART_EXPORTER_{k.upper()}": v for k, v in login.items()} or {"STALWART_EXPORTER_TOKEN": WATCHER_KEY}),
    }


def missing(exporter: Exporter, wanted: dict[Series, float]) -> dict[Series, tuple[float, float | None]]:
    """What is not shown, or not with its value."""
    shown = exporter.samples()
    return {key: (value, shown.get(key)) for key, value in wanted.items() if shown.get(key) != pytest.approx(value)}


def test_every_fact_of_the_recording_is_shown(tmp_path: Path):
    """Each number appears, and the server is asked nothing but what is allowed, and refused nothing."""
    wanted = facts(RECORDING)
    server = JmapServer.recorded()
    started = time.monotonic()
    with serving(server) as url, Exporter(tmp_path, environ=environment(url)) as exporter:
        wait_until(
            lambda: not missing(exporter, wanted),
            what=f"all facts are shown; missing {missing(exporter, wanted)}",
            seconds=WITHIN_SECONDS,
        )
        assert time.monotonic() - started < WITHIN_SECONDS
        shown = exporter.samples()

    assert len(wanted) > 80
    assert shown[series("stalwart_up", server="mx1")] == 1
    assert shown[series("stalwart_server_info", server="mx1", version="", edition="community", api="jmap")] == 1
    assert not any(name == "stalwart_queue_running" for name, _ in shown)
    assert not any(name == "stalwart_exporter_unknown_values_total" and shown[name, ls] for name, ls in shown)
    check_requests(server.asked)


def check_requests(asked: list[Asked]) -> None:
    """Only reads, nothing refused, nothing that is known to be missing."""
    for row in asked:
        assert ALLOWED.match(f"{row.method} {row.path}"), row
        assert row.status == 200 or row.path in ("/api/queue/status", "/api/schema"), row
        for method, _, _ in row.calls:
            assert READS.match(method), row
    assert [row.path for row in asked].count("/api/queue/status") == 1
    methods = [method for row in asked for method, _, _ in row.calls]
    assert not any(method.startswith(("x:Metric/", "x:Trace/")) for method in methods)


def test_counters_under_wrong_names_are_not_shown(tmp_path: Path):
    """A defective release shows its queue, its gauges and its histograms, and not one of its counters."""
    server = JmapServer.recorded()
    server.schema = WRONG_NAMES
    kept = {key: value for key, value in facts(RECORDING).items() if key[0] != "stalwart_events_total"}
    with serving(server) as url, Exporter(tmp_path, environ=environment(url)) as exporter:
        wait_until(
            lambda: not missing(exporter, kept), what=f"missing {missing(exporter, kept)}", seconds=WITHIN_SECONDS
        )
        shown = exporter.samples()
        log = exporter.log()

    counters = {key: value for key, value in shown.items() if key[0] == "stalwart_events_total"}
    assert counters == {}
    assert "v0.16.12" in log


@dataclass
class Upgraded:
    """One address, behind which first a server of v0.15 stands and then one of v0.16."""

    old: Replay = field(default_factory=lambda: Replay(RECORDINGS / "rest-0.15.5"))
    new: JmapServer = field(default_factory=JmapServer.recorded)
    upgraded: bool = False
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def respond(self, login: str | None, method: str, path: str, body: bytes) -> Response:
        response: Any
        if self.upgraded:
            response = self.new.respond(login, method, path, body)
        else:
            response = self.old.answer(self._identity(login), method, path)
        self.asked.append((login or "", path, response[0]))
        return response

    def _identity(self, login: str | None) -> str:
        pair = base64.b64decode((login or "").removeprefix("Basic ")).decode()
        return pair.partition(":")[0] or "none"


def config(url: str, login: str) -> str:
    """A server that is asked every second."""
    every = "".join(f"{name} = 1\n" for name in ("queue", "metrics", "native", "logs", "traces", "failed", "outgoing"))
    return f"""
[[servers]]
name = "mx1"
url = "{url}"
username = "{login}"
password = "lab-watcher-secret"
native_username = "prometheus"
native_password = "lab-prometheus-secret"
max_requests_per_minute = 10000
[servers.streams]
transport = "off"
[servers.intervals]
{every}"""


def test_an_upgrade_under_a_running_exporter_keeps_the_counters(tmp_path: Path):
    """The new server's process began anew: what it has counted comes on top of what the old one had."""
    server = Upgraded()
    before, after = facts("rest-0.15.5"), facts(RECORDING)
    events = [key for key in before.keys() & after.keys() if key[0] == "stalwart_events_total"]
    with serving(server) as url, Exporter(tmp_path, config=config(url, "watcher")) as exporter:
        wait_until(lambda: not missing(exporter, before), what=f"missing {missing(exporter, before)}", seconds=45)

        server.upgraded = True

        gauges = {key: value for key, value in after.items() if key[0].startswith("stalwart_queue")}
        wait_until(lambda: not missing(exporter, gauges), what=f"missing {missing(exporter, gauges)}", seconds=45)
        total = {key: before[key] + after[key] for key in events}
        wait_until(lambda: not missing(exporter, total), what=f"missing {missing(exporter, total)}", seconds=45)
        shown = exporter.samples()

    assert len(events) > 30
    assert shown[series("stalwart_server_info", server="mx1", version="", edition="community", api="jmap")] == 1
    assert {status for _, _, status in server.asked} <= {200, 401, 404}
    assert refusals(server) == []


def test_credentials_that_an_upgraded_server_refuses_are_sent_to_it_once(tmp_path: Path):
    """A key of v0.15 is none of v0.16: the exporter says so and stays away until an operator reloads."""
    server = Upgraded()
    server.old.answer = lambda identity, method, target: Replay.answer(  # type: ignore[method-assign]
        server.old, "watcher" if identity == "oldkey" else identity, method, target
    )
    with serving(server) as url, Exporter(tmp_path, config=config(url, "oldkey")) as exporter:
        exporter.wait_for("stalwart_up", 1, server="mx1")
        exporter.wait_for("stalwart_queue_messages", 11, server="mx1")

        server.upgraded = True
        exporter.wait_for("stalwart_up", 0, server="mx1")
        assert len(refusals(server)) == 1
        exporter.signal(signal.SIGHUP)
        wait_until(lambda: len(refusals(server)) > 1, what="an operator's reload tries once more")
        exporter.wait_for("stalwart_up", 0, server="mx1")
        log = exporter.log()

    assert "API keys of v0.15 are not valid from v0.16 on" in log
    assert len(refusals(server)) == 2


def refusals(server: Upgraded) -> list[tuple[str, str, int]]:
    """The requests whose login was refused."""
    return [row for row in server.asked if row[0] and row[2] == 401]
