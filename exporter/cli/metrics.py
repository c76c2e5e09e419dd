"""``stalwart-exporter metrics``: the metric families as a table or as JSON."""

from __future__ import annotations

import json

from rich.table import Table

from exporter.cli.output import console, print_whole
from exporter.collectors.families import FAMILIES


def list_metrics(*, as_json: bool) -> None:
    """Print every family."""
    if as_json:
        rows = [
            {"name": f.name, "type": f.kind.value, "labels": f.all_labels, "from": f.source, "help": f.help}
            for f in FAMILIES
        ]
        console.print_json(json.dumps(rows))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("family", "type", "labels", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column == "type")
    for f in FAMILIES:
        table.add_row(f.name, f.kind.value, " ".join(f.all_labels), f.help)
    print_whole(table)
