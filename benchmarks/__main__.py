"""All benchmarks, or the ones named: ``python -m benchmarks [name ...]``. Exit status 1 if a limit is missed."""

from __future__ import annotations

import importlib
import sys

from benchmarks.rows import show

NAMES = (
    "scrape",
    "crowds",
    "queue_decode",
    "queue_walk",
    "log_decode",
    "idle",
    "history.reports",
    "streams",
    "webhooks",
    "history.trail",
    "history.why",
    "pages",
)


def main(wanted: list[str]) -> int:
    """Runs and prints."""
    good = True
    for name in wanted or NAMES:
        print(f"--- {name}", flush=True)
        good = show(importlib.import_module(f"benchmarks.{name}").run()) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
