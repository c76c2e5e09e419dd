"""``stalwart-exporter demo``: the exporter and a simulated server with a scripted day, in one process."""

from __future__ import annotations

import asyncio
import errno
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exporter.app.daemon import Daemon
from exporter.app.logging import set_up_logging
from exporter.cli.demo.prometheus import DemoPrometheus
from exporter.cli.output import complain, console, plain
from exporter.errors import SettingsError, StoreError
from exporter.settings import Settings
from exporter.settings.addresses import parse_listen
from exporter.simulator import Profile, Simulator, full_day
from exporter.simulator.harness.script import BIG, Phase
from exporter.store.steps.steps import STEP_SECONDS
from exporter.web.verdict.thresholds import shipped_content

POLL_SECONDS = 2.0
COLLECTORS = ("queue", "metrics", "native", "logs", "traces", "failed", "reports", "outgoing")
LOGIN = ("watcher", "lab-watcher-secret")
DAY_HOURS = 24
VERSIONS = {"rest": "0.15.5", "jmap": "0.16.18"}
PAGES = ("mail", "reports", "alerts")
SMALL_SERVER = {
    "StalwartQueueBacklog": {"messages": 200},
    "StalwartDestinationDeferring": {"recipients": 30},
}
"""Thresholds that suit the simulated server, which never has a thousand messages in its queue."""


def run_demo(*, listen: str, speed: float, edition: str, generation: str, seed: int) -> int:
    """Run until Ctrl-C; return the exit status."""
    if generation not in VERSIONS:
        complain("--generation: rest or jmap")
        return 2
    if edition not in ("community", "enterprise"):
        complain("--edition: community or enterprise")
        return 2
    try:
        parse_listen(listen)
    except ValueError as error:
        complain(f"--listen: {error}; accepted: HOST:PORT, such as 127.0.0.1:9787 or [::]:0")
        return 2
    set_up_logging(level="warning", style="auto")
    with tempfile.TemporaryDirectory(prefix="stalwart-exporter-demo-") as folder:
        try:
            asyncio.run(_run(listen, speed, edition, VERSIONS[generation], seed, Path(folder)))
        except SettingsError as error:
            for problem in error.problems:
                complain(problem)
            return 2
        except (StoreError, OSError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            complain(f"{error}; choose another port with --listen" if taken else str(error))
            return 1
    return 0


async def _run(listen: str, speed: float, edition: str, version: str, seed: int, folder: Path) -> None:
    licensed = edition == "enterprise"
    profile = Profile(
        version=version,
        edition="enterprise" if licensed else "community",
        metrics_store=licensed,
        trace_store=licensed,
        metrics_interval_seconds=3600.0 / speed,
    )
    script = full_day(narrate)
    async with Simulator(profile, speed=speed, seed=seed, ticking=True, script=script) as server:
        thresholds = folder / "thresholds.json"
        thresholds.write_text(json.dumps(demo_thresholds(speed)), "utf-8")
        settings = demo_settings(server.url, listen, folder, native=profile.native_login)
        prometheus = DemoPrometheus(folder, speed=speed)
        announce = _announce(server.url, f"{version}, {edition}", speed, settings, prometheus)
        # A day of pictures is then a day of the simulated server, too.
        step_seconds = max(1, round(STEP_SECONDS / speed))
        daemon = Daemon(settings, load=lambda: settings, on_ready=announce, step_seconds=step_seconds)
        try:
            await daemon.run()
        finally:
            prometheus.stop()


def narrate(phase: Phase) -> None:
    """Say what begins, with the time of the simulated day."""
    hours, minutes = divmod(round(phase.hour * 60), 60)
    console.print(f"[bold]{hours:02}:{minutes:02}[/bold]  {plain(phase.story)}", soft_wrap=True)
    sys.stdout.flush()


def demo_settings(url: str, listen: str, folder: Path, *, native: tuple[str, str] | None) -> Settings:
    """Return the exporter's settings for a simulated server at *url*: shorter intervals, otherwise as in production."""
    server: dict[str, Any] = {
        "name": "demo",
        "url": url,
        "username": LOGIN[0],
        "password": LOGIN[1],
        "max_requests_per_minute": 10_000,
        "intervals": dict.fromkeys(COLLECTORS, POLL_SECONDS),
    }
    if native is not None:
        server |= {"native_username": native[0], "native_password": native[1]}
    return Settings.model_validate(
        {
            "web": {"listen": listen, "thresholds_file": folder / "thresholds.json"},
            "store": {"path": folder / "history.sqlite3"},
            # The simulated server's domains are not in DNS.
            "checks": {"enabled": False},
            "servers": [server],
        }
    )


def demo_thresholds(speed: float) -> dict[str, Any]:
    """Return the shipped thresholds for a day that passes *speed* times as fast; windows of rates keep their length."""
    content = shipped_content()
    alerts: dict[str, dict[str, Any]] = content["alerts"]
    for name, values in alerts.items():
        values |= SMALL_SERVER.get(name, {})
        if values["for"]:
            values["for"] = max(1, round(values["for"] / speed))
    return content


def _announce(
    server_url: str, server: str, speed: float, settings: Settings, prometheus: DemoPrometheus
) -> Callable[[int], None]:
    def announce(port: int) -> None:
        at = f"http://127.0.0.1:{port}"
        minutes = DAY_HOURS * 60 / speed
        alerts = prometheus.start(port)
        for line in (
            f"[bold]{at}/[/bold]          how mail flows now, with pictures of the day",
            *(f"{at}/{page}" for page in PAGES),
            f"[bold]{at}/metrics[/bold]   what Prometheus scrapes",
            *([f"Prometheus with the shipped rules, {speed:g} times as fast: {alerts}/alerts"] if alerts else []),
            f"\nA simulated Stalwart ({server}) at {server_url} plays a day in {minutes:.0f} minutes.",
            "What begins is said below, with the time of that day. Watch the metrics:",
            f"  curl -s {at}/metrics | grep -E 'stalwart_(queue_messages|failed_deliveries|deliveries_total)'",
            "Ask what happened to mail:",
            f"  stalwart-exporter why --store {settings.store.path} {BIG}",
            f"  stalwart-exporter trail list --store {settings.store.path}",
            "Stop with Ctrl-C.\n",
        ):
            console.print(line, soft_wrap=True)
        sys.stdout.flush()

    return announce
