"""Runs the daemon with the process's environment and returns an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import json
import os
import sys
from pathlib import Path

import structlog
import uvloop

from exporter.app.daemon import Daemon
from exporter.app.logging import set_up_logging
from exporter.app.preflight import check_usable
from exporter.app.service.become import ARGUMENTS
from exporter.errors import SettingsError, StoreError
from exporter.settings import Settings, load_settings

log = structlog.get_logger("exporter.app")

EXIT_UNUSABLE = 1
EXIT_SETTINGS = 2

MALLOC_OPTIONS = ((-3, 128 * 1024), (-1, 128 * 1024), (-8, 2))
"""
M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in bytes, and M_ARENA_MAX, of glibc's ``mallopt``.

By default glibc raises both thresholds when a large block is freed, up to 32 MiB and 64 MiB. Responses of a few
megabytes then leave a heap behind that is never returned.
"""

RERAISE = "STALWART_EXPORTER_TEST_RERAISE"
"""Set by the tests: a bug in a collector then ends the process instead of being counted."""


def main() -> int:
    """Run until stopped; return the exit status."""
    environ = dict(os.environ)
    given = json.loads(environ.pop(ARGUMENTS, "{}"))
    reraise = environ.pop(RERAISE, "") == "1"
    config, web_config = given.get("config"), given.get("web_config")

    def load() -> Settings:
        return load_for_run(Path(config) if config else None, Path(web_config) if web_config else None, environ)

    try:
        settings = load()
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return EXIT_SETTINGS
    set_up_logging(level=settings.log.level, style=settings.log.format)
    for warning in settings.warnings:
        log.warning("settings.warned", reason=warning)
    return run_loop(Daemon(settings, load=load, reraise_bugs=reraise))


def load_for_run(config: Path | None, web_config: Path | None, environ: dict[str, str]) -> Settings:
    """Return the settings with ``--web.config.file`` applied; raises `SettingsError` for anything unusable."""
    settings = load_settings(config, environ)
    check_usable(settings)
    return with_web_config(settings, web_config)


def with_web_config(settings: Settings, web_config: Path | None) -> Settings:
    """Return the settings with *web_config* as the web configuration file, if it is given."""
    if web_config is None:
        return settings
    web = settings.web.model_copy(update={"config_file": web_config})
    return settings.model_copy(update={"web": web})


COLLECT_AFTER = 5000
"""Threshold of the youngest generation; one response creates several times Python's default of 700 objects."""


def settle_memory() -> None:
    """Release what imports have left behind, and exclude all remaining objects from later garbage collections."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    with contextlib.suppress(OSError, AttributeError):  # not every C library has it
        library = ctypes.CDLL(None)
        for option, value in MALLOC_OPTIONS:
            library.mallopt(option, value)
        library.malloc_trim(0)


def run_loop(daemon: Daemon) -> int:
    """Run *daemon* in an event loop; return the exit status."""
    settle_memory()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(daemon.run())
    except SettingsError as error:
        log.error("exporter.start_failed", problems=list(error.problems))
        return EXIT_SETTINGS
    except (StoreError, OSError) as error:
        log.error("exporter.start_failed", error=_with_remedy(error))
        return EXIT_UNUSABLE
    return 0


def _with_remedy(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{error.strerror}; set web.listen or STALWART_EXPORTER_LISTEN to another port"
    return str(error)
