"""``reports deliveries``: reports of large receivers beside the deliveries to them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from exporter.cli.history.text import cell, print_json, table
from exporter.cli.output import complain, console
from exporter.history.texts import day, number
from exporter.store.reading import History
from exporter.store.reports.dmarc.deliveries import Comparison, compare

EXIT_NOT_FOUND = 3


def show_deliveries(
    connection: History, domain: str, *, now: datetime, days: int, server: str | None, as_json: bool
) -> int:
    """Print the comparison for *domain*; return 3 if there is nothing about it."""
    found = compare(connection, domain, now=now, days=days, server=server)
    if not found.days:
        complain(f"no reports of large receivers about {domain}, and no deliveries to them")
        return EXIT_NOT_FOUND
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)
    return 0


def _print(found: Comparison) -> None:
    made = table("=day", "reporter", "#delivered", "#reported from us", "#reported from others")
    for one in found.days:
        made.add_row(
            day(one.day_at),
            cell(one.reporter),
            "not kept" if one.delivered is None else number(one.delivered),
            number(one.from_ours),
            number(one.from_others),
        )
    console.print(made)
    if not found.own_addresses:
        console.print("\nThe server's own addresses are not known, so every source is another: set checks.addresses.")
