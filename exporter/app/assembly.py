"""Builds the daemon's parts and connects them."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exporter.app.expose import Exposer
from exporter.app.facts import Watched
from exporter.app.history import History
from exporter.app.http import HttpFront, Webhooks
from exporter.app.own_registry import OwnRegistry
from exporter.app.reload import LoadSettings, Reloader
from exporter.app.servers.checking import checking_of
from exporter.app.servers.fleet import Fleet
from exporter.app.servers.supervise import LongRun
from exporter.app.servers.webhook import WebhookLimits
from exporter.app.service.directory import DirectoryWatch
from exporter.app.status import Status
from exporter.clock import Clock
from exporter.collectors.exposition import Exposition
from exporter.collectors.health import ExporterSource
from exporter.ingest.loops.retention import Retention
from exporter.ingest.loops.steps import StepKeeper
from exporter.ingest.loops.trail_retention import TrailRetention
from exporter.settings import Settings, WebSettings
from exporter.store.reader import HistoryReader
from exporter.store.steps.steps import STEP_SECONDS
from exporter.store.store import Store
from exporter.web.app import create_app
from exporter.web.serving.listener import passed_sockets
from exporter.web.verdict.thresholds import load_thresholds, shipped

HEALTH_PATHS = ("/-/healthy", "/-/ready")


def open_paths(web: WebSettings) -> tuple[str, ...]:
    """Return the paths without a login, by the setting ``web.without_login``."""
    metrics = (web.telemetry_path,)
    return {"health": HEALTH_PATHS, "metrics": metrics, "health_and_metrics": (*HEALTH_PATHS, *metrics)}.get(
        web.without_login, ()
    )


@dataclass(frozen=True, slots=True)
class Assembly:
    """
    The parts that the daemon starts and stops; none of them is running.

    Attributes:
        front: Not listening yet.
        fleet: Without servers.
        essential: Tasks by name; if one of them fails, the daemon fails.
        supervised: Tasks by name that are restarted whenever they end.
    """

    front: HttpFront
    fleet: Fleet
    essential: Mapping[str, LongRun]
    supervised: Mapping[str, LongRun]


def assemble(
    settings: Settings,
    history: History,
    group: asyncio.TaskGroup,
    *,
    load: LoadSettings,
    reload_requested: asyncio.Event,
    clock: Clock,
    rng: random.Random,
    reraise_bugs: bool = False,
    step_seconds: int = STEP_SECONDS,
) -> Assembly:
    """
    Build all parts around the open *history*; the servers' tasks will run in *group*.

    *step_seconds* is the length of the steps of pictures. Raises `SettingsError` for unusable certificates in the web
    configuration or of the checks.
    """
    store = history.store
    exposition = Exposition(extra=OwnRegistry().families, monotonic=clock.monotonic)
    fleet = Fleet(
        group,
        store,
        exposition,
        trail=settings.trail,
        webhooks=WebhookLimits(settings.webhooks.max_body, settings.webhooks.max_backlog),
        checking=checking_of(settings.checks, clock=clock, rng=rng),
        clock=clock,
        rng=rng,
        reraise_bugs=reraise_bugs,
    )
    exposer = Exposer(exposition, lambda: fleet.boards, clock)
    fleet.subscribe(exposer.changed)
    retention, trail_retention = _retentions(settings, store, fleet, clock=clock, reraise_bugs=reraise_bugs)
    steps = StepKeeper(store, lambda: fleet.boards, clock=clock, step_seconds=step_seconds)
    reloader = Reloader(
        settings,
        load=load,
        fleet=fleet,
        retention=retention,
        trail_retention=trail_retention,
        changed=exposer.changed,
        clock=clock,
    )
    exposition.add(ExporterSource(store.stats, reloader.state, count_tasks), server=None)
    status = _status(settings, fleet, store, clock, step_seconds)
    webhooks = Webhooks(fleet.find_webhook, settings.webhooks.listen, settings.webhooks.max_body)
    front = _front(settings, exposition, status, reloader, webhooks, clock, exposer.changed, store.path)
    reloader.include(front)
    supervised: dict[str, LongRun] = {
        "retention": retention.run,
        "trail-retention": trail_retention.run,
        "history": partial(history.keep, users=(fleet, retention, trail_retention, steps), changed=exposer.changed),
        "store-stats": partial(history.measure, changed=exposer.changed),
        "reload": partial(reloader.run, reload_requested),
        **_discovery(settings, reloader, clock),
    }
    if settings.web.status_page:
        supervised |= {"status": status.run, "steps": steps.run}
    return Assembly(front, fleet, {"exposer": exposer.run, **front.runs()}, supervised)


def _discovery(settings: Settings, reloader: Reloader, clock: Clock) -> Mapping[str, LongRun]:
    """Return what follows the directory of servers, if there is one."""
    directory = settings.discovery.directory
    if directory is None:
        return {}
    return {"discovery": DirectoryWatch(directory, changed=reloader.follow_files, clock=clock).run}


def _retentions(
    settings: Settings, store: Store, fleet: Fleet, *, clock: Clock, reraise_bugs: bool
) -> tuple[Retention, TrailRetention]:
    """Return what keeps the reports and the trail within their bounds."""
    reports = Retention(
        store,
        keep_seconds=settings.store.retention,
        clock=clock,
        now=fleet.earliest_now,
        reraise_bugs=reraise_bugs,
    )
    trail = TrailRetention(
        store,
        keep_seconds=settings.trail.keep,
        max_bytes=settings.trail.max_size,
        clock=clock,
        now=fleet.earliest_now,
        reraise_bugs=reraise_bugs,
    )
    return reports, trail


def _status(settings: Settings, fleet: Fleet, store: Store, clock: Clock, step_seconds: int) -> Status:
    thresholds = settings.web.thresholds_file
    return Status(
        lambda: [Watched(one.board, one.settings.url, one.report_gauges) for one in fleet.servers],
        store.stats,
        store.path,
        clock,
        limits=load_thresholds(thresholds) if thresholds else shipped(),
        step_seconds=step_seconds,
    )


def _front(
    settings: Settings,
    exposition: Exposition,
    status: Status,
    reloader: Reloader,
    webhooks: Webhooks,
    clock: Clock,
    changed: Callable[[], None],
    store_path: Path,
) -> HttpFront:
    web = settings.web
    app = create_app(
        metrics=exposition,
        telemetry_path=web.telemetry_path,
        health=status,
        status=status if web.status_page else None,
        reloader=reloader if web.enable_reload else None,
        clock=clock,
        history=HistoryReader(store_path),
    )
    return HttpFront(
        app,
        () if web.systemd_socket else web.listen,
        web.config_file,
        passed=passed_sockets(os.environ) if web.systemd_socket else (),
        servers=len(settings.servers),
        webhooks=webhooks,
        open_paths=open_paths(web),
        tenants=web.tenants,
        clock=clock,
        changed=changed,
    )


def count_tasks() -> int:
    """Return the number of asyncio tasks."""
    return len(asyncio.all_tasks())
