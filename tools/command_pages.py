"""The reference pages that are generated from the code: ``python -m tools.command_pages --write`` or ``--check``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from exporter.collectors.families import FAMILIES
from exporter.collectors.family import Family
from tools.man_page import man_page
from tools.settings_page import EXAMPLE

ROOT = Path(__file__).resolve().parents[1]

INTRO = """# Metrics

<!-- Generated from exporter/collectors/families.py and own_families.py by `make docs`. Do not edit. -->

Every family that the exporter can export. A value that was not seen is absent, never zero. A snapshot that is not
renewed is dropped after three intervals, at least 90 seconds; see `stalwart_exporter_collector_success`. Every family
about a server has the label `server`, its configured name.

The exporter's own requests appear in these numbers: on Stalwart v0.13 to v0.15 each request increases `auth.success`
and the `http.*` events by one and writes one log line. An idle exporter sends at most 12 requests per minute, and from
v0.16 on 8 more every five minutes; `stalwart_exporter_api_requests_total` counts them. These log lines are left out of
`stalwart_log_entries_total` unless `count_own_requests` is set; the events are exported as the server counts them.

| family | type | labels | from | meaning |
|---|---|---|---|---|
"""

OUTRO = """
The process itself is described by the usual `process_*`, `python_info` and `python_gc_*` families.

In the older text format, gauge histograms appear as a histogram of their buckets and two gauges, `_gcount` and `_gsum`,
and infos as gauges. The names are the same in both formats.
"""


def metrics_page() -> str:
    """`docs/metrics.md` as it should be."""
    return INTRO + "".join(map(_row, FAMILIES)) + OUTRO


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.all_labels)
    return f"| `{family.name}` | {family.kind.value} | {labels} | {family.source} | {family.help} |\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/metrics.md": metrics_page,
    "docs/man/stalwart-exporter.1": man_page,
    "deploy/config.example.toml": lambda: EXAMPLE,
}


def main() -> int:
    """Writes or checks the pages; 1 if one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    stale = []
    for name, render in PAGES.items():
        path, text = ROOT / name, render()
        if arguments.write:
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    for name in stale:
        sys.stderr.write(f"{name} is out of date: run make docs\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
