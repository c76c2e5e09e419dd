"""The way from a server to a pager, of real processes: exporter, Prometheus, Alertmanager, and who is told."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from exporter.simulator import Profile, StandIn
from tests.support.alerts.promtool import ALERTS
from tests.support.exporter import Exporter, wait_until
from tests.support.ports import reserve_port
from tests.support.prometheus import Prometheus, prometheus

SPEED = 120.0
"""How much faster the stand-in retries: its first retry after two minutes comes after a second."""

THRESHOLDS = """
alerts:
  StalwartQueueBacklog: {for: 3s, messages: 20}
  StalwartDeliveryFailureRatio: {for: 1s, window: 15s, failures: 10}
  StalwartServerDown: {for: 1s}
  StalwartCertificateExpiring: {for: 1s}
  StalwartCertificateAboutToExpire: {for: 1s}
  StalwartTasksFailed: {for: 1s}
  StalwartCollectorStale: {for: 5s, intervals: 3, grace: 3s}
"""

JOB = "any-job-name"


class Receiver:
    """
    What Alertmanager sends to.

    Attributes:
        url: Its root; the receiver's name is the path.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notifications: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with receiver._lock:
                    receiver._notifications.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told(self, receiver: str, since: int = 0) -> list[dict[str, Any]]:
        """The notifications to *receiver* from the *since*-th of all on."""
        with self._lock:
            return [body for body in self._notifications[since:] if body["receiver"] == receiver]

    def count(self) -> int:
        """All notifications so far."""
        with self._lock:
            return len(self._notifications)


def names(notification: dict[str, Any], status: str) -> set[str]:
    """The alerts with *status* (`firing`, `resolved`) in a notification."""
    return {alert["labels"]["alertname"] for alert in notification["alerts"] if alert["status"] == status}


@dataclass
class Chain:
    """Everything from the server to the receivers, running."""

    server: StandIn
    exporter: Exporter
    prometheus: Prometheus
    receiver: Receiver
    alertmanager_url: str
    rules: Path
    edition: str
    client: httpx.Client
    mark: int = field(default=0)

    def begin(self) -> None:
        """From here on `pages` and `tickets` count."""
        self.mark = self.receiver.count()

    def pages(self, status: str) -> list[set[str]]:
        """The alerts of each page since `begin` that holds any with *status*."""
        found = [names(body, status) for body in self.receiver.told("pager", self.mark)]
        return [alerts for alerts in found if alerts]

    def tickets(self) -> set[str]:
        """The alerts that tickets were opened for since `begin`."""
        return set().union(*(names(body, "firing") for body in self.receiver.told("tickets", self.mark)), set())

    def alerts(self) -> dict[str, dict[str, Any]]:
        """What Alertmanager knows to be firing, by alert."""
        found = self.client.get(f"{self.alertmanager_url}/api/v2/alerts").json()
        return {alert["labels"]["alertname"]: alert for alert in found}

    def wait(self, condition: Any, what: str, seconds: float = 40.0) -> None:
        """Waits; tells what is firing where that is in vain."""
        try:
            wait_until(condition, what=what, seconds=seconds)
        except AssertionError as error:
            firing = self.ask("ALERTS")
            raise AssertionError(f"{error}\nfiring: {[a['metric'] for a in firing]}\n{self.exporter.log()}") from error

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The result of an instant query; fails on one that Prometheus does not understand."""
        answer = self.client.get(f"{self.prometheus.url}/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", f"{expr}: {answer}"
        return list(answer["data"]["result"])

    def wait_for_a_scrape(self) -> None:
        """Returns once the exporter has been scraped again."""
        last = self.ask("timestamp(up)")[0]["value"][1]
        self.wait(lambda: self.ask("timestamp(up)")[0]["value"][1] != last, "a scrape")

    def notifies(self) -> bool:
        """Whether Prometheus knows where to send alerts."""
        found = self.client.get(f"{self.prometheus.url}/api/v1/alertmanagers").json()
        return bool(found["data"]["activeAlertmanagers"])

    def wait_until_calm(self) -> None:
        """Returns once no page is firing and everything that was paged has been resolved."""
        self.wait(
            lambda: not self.ask('ALERTS{severity="page",alertstate="firing"}') and not self._open_pages(),
            "all is calm",
        )

    def _open_pages(self) -> set[str]:
        state: dict[str, str] = {}
        for body in self.receiver.told("pager"):
            state.update({alert["labels"]["alertname"]: alert["status"] for alert in body["alerts"]})
        return {name for name, status in state.items() if status == "firing"}


def make_rules(folder: Path) -> Path:
    """The shipped rules with shorter delays, by the documented command."""
    overlay = folder / "thresholds.yaml"
    overlay.write_text(THRESHOLDS)
    command = [
        sys.executable,
        "-m",
        "alerts",
        "--write",
        "--thresholds",
        str(overlay),
        "--output",
        str(folder / "rules"),
    ]
    subprocess.run(command, cwd=ALERTS.parent, check=True)
    return folder / "rules"


def alertmanager_config(receiver_url: str) -> str:
    """The shipped configuration: only where notifications go and how long a group gathers is another."""
    text = (ALERTS / "alertmanager.example.yml").read_text()
    text = re.sub(r"http://([\w-]+)\.example\.org/\w+", rf"{receiver_url}/\1", text)
    # Tickets may wait: at the end of an outage its symptoms go a moment after the alert that silences them.
    text = text.replace("group_wait: 1m\n  group_interval: 15m", "group_wait: 5s\n  group_interval: 5s")
    return re.sub(r"(group_wait|group_interval): (?!5s)\w+", r"\1: 1s", text)


@contextlib.contextmanager
def alertmanager(folder: Path, config: str) -> Iterator[str]:
    """A running Alertmanager; yields its URL."""
    path, port = folder / "alertmanager.yml", reserve_port()
    path.write_text(config)
    url = f"http://127.0.0.1:{port}"
    with (folder / "alertmanager.log").open("ab") as out:
        process = subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={path}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=out,
            stderr=out,
        )

    def ready() -> bool:
        assert process.poll() is None, (folder / "alertmanager.log").read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{url}/-/ready").status_code == 200
        return False

    try:
        wait_until(ready, what="Alertmanager is ready")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def exporter_config(server: StandIn) -> str:
    """The exporter in haste: every collector runs once a second."""
    login = 'username = "watcher"\npassword = "lab-watcher-secret"'
    if server.call(lambda world: world.profile.jmap):
        login = f'token = "{server.api_key()}"'
    return f"""
[[servers]]
name = "mx1"
url = "{server.url}"
{login}
native_username = "prometheus"
native_password = "lab-prometheus-secret"
max_requests_per_minute = 10000
[servers.intervals]
queue = "1s"
metrics = "1s"
native = "1s"
logs = "1s"
traces = "1s"
failed = "1s"
reports = "2s"
outgoing = "2s"
inventory = "1s"
[servers.relay]
host = "mx.ok.test"
recipients_per_hour = 1000000
recipients_per_day = 10000000
"""


def prometheus_config(exporter_port: int, alertmanager_url: str, rules: Path) -> str:
    """Scrapes, evaluates and alerts once a second."""
    return f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}/*.rules.yml"]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{alertmanager_url.removeprefix("http://")}"]}}]
scrape_configs:
  - job_name: {JOB}
    static_configs: [{{targets: ["127.0.0.1:{exporter_port}"]}}]
"""


@contextlib.contextmanager
def chain(folder: Path, profile: Profile) -> Iterator[Chain]:
    """All of it, for a server of *profile*; everything is ended afterwards."""
    with contextlib.ExitStack() as stack:
        receiver = Receiver()
        stack.callback(receiver.close)
        server = stack.enter_context(StandIn(profile, speed=SPEED, ticking=True))
        exporter = stack.enter_context(Exporter(folder, config=exporter_config(server)))
        url = stack.enter_context(alertmanager(folder, alertmanager_config(receiver.url)))
        rules = make_rules(folder)
        config = prometheus_config(exporter.port, url, rules)
        database = stack.enter_context(prometheus(folder, config))
        client = stack.enter_context(httpx.Client())
        yield Chain(server, exporter, database, receiver, url, rules, profile.edition, client)
