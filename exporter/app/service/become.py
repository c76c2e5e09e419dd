"""From the command line to the daemon's process. Imports nothing of either, so that the daemon starts at once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ARGUMENTS = "_STALWART_EXPORTER_RUN"
"""The environment variable in which the command line passes its options: JSON, by file option."""


def become_daemon(*, config: Path | None, web_config: Path | None) -> None:
    """Replace this process by the daemon's; never returns."""
    options = {"config": config, "web_config": web_config}
    given = {name: str(path.absolute()) for name, path in options.items() if path is not None}
    environ = {**os.environ, ARGUMENTS: json.dumps(given)}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-P", "-OO", "-m", "exporter.app"], environ)  # noqa: S606 - this program
