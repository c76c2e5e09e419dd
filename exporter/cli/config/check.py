"""``stalwart-exporter check-config``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from exporter.app.preflight import find_problems
from exporter.app.process import with_web_config
from exporter.cli.config import result as settings_check
from exporter.cli.output import console, plain


def check(config: Path | None, web_config: Path | None, *, as_json: bool) -> int:
    """Print every problem, or the effective settings; return the exit status."""
    outcome = settings_check.check(config, dict(os.environ))
    if outcome.settings is not None:
        settings = with_web_config(outcome.settings, web_config)
        found = tuple(find_problems(settings))
        outcome = settings_check.CheckResult(None if found else settings, found)
    if as_json:
        console.print_json(json.dumps(outcome.data()))
    else:
        for line in outcome.lines():
            console.print(plain(line), soft_wrap=True)
    return outcome.exit_code
