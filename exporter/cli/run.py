"""``stalwart-exporter run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import structlog

from exporter.app.daemon import Daemon
from exporter.app.logging import set_up_logging
from exporter.errors import SettingsError, StoreError
from exporter.settings import Settings, load_settings

log = structlog.get_logger("exporter.app")

EXIT_UNUSABLE = 1
EXIT_SETTINGS = 2

REAL_FAILURES = "STALWART_EXPORTER_TEST_RERAISE"
"""Set by the tests: a bug in a collector then ends the process instead of being counted."""


def run_daemon(config: Path | None, web_config: Path | None) -> int:
    """Runs until told to end; the exit status."""
    reraise = os.environ.pop(REAL_FAILURES, "") == "1"
    environ = dict(os.environ)

    def load() -> Settings:
        settings = load_settings(config, environ)
        if web_config is not None:
            web = settings.web.model_copy(update={"config_file": web_config})
            settings = settings.model_copy(update={"web": web})
        return settings

    try:
        settings = load()
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return EXIT_SETTINGS
    set_up_logging(level=settings.log.level, style=settings.log.format)
    for warning in settings.warnings:
        log.warning("settings.warning", text=warning)
    return run_loop(Daemon(settings, load=load, reraise_bugs=reraise))


def run_loop(daemon: Daemon) -> int:
    """Runs *daemon* in an event loop; the exit status."""
    import asyncio

    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(daemon.run())
    except SettingsError as error:
        log.error("exporter.cannot_start", problems=list(error.problems))
        return EXIT_SETTINGS
    except (StoreError, OSError) as error:
        log.error("exporter.cannot_start", error=str(error))
        return EXIT_UNUSABLE
    return 0
