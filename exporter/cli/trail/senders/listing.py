"""The tables of ``senders``; names are as clients wrote them, and sanitised here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from exporter.cli.history.text import cell, domain_cell, print_json, table
from exporter.cli.output import complain, console, print_whole
from exporter.history.sender_words import finding_words, hour_at
from exporter.history.texts import day, minute, number
from exporter.model.senders import DAY_HOURS, HOUR_SECONDS, Finding, SenderHour
from exporter.printable import harmless
from exporter.store.reading import History
from exporter.store.trail.queries import address_mask
from exporter.store.trail.senders.judging import findings_now, unusual_senders
from exporter.store.trail.senders.queries import ORDERS, day_of, load_past, servers_of, top_senders

EXIT_UNKNOWN = 3

_NUMBERS = tuple(f"#{name}" for name in ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What ``senders top`` ranks."""

    server: str | None
    domain: str | None
    since: datetime
    by: str
    by_domain: bool
    most: int


def show_top(connection: History, asked: Asked, *, as_json: bool) -> int:
    """Print the ranking."""
    rows = top_senders(
        connection,
        server=asked.server,
        domain=asked.domain,
        since_hour=hour_at(asked.since),
        by=asked.by,
        by_domain=asked.by_domain,
        most=asked.most,
    )
    kind = "domain" if asked.by_domain else "sender"
    if as_json:
        print_json(
            [
                {"server": row.server, kind: row.name, **asdict(row.total), "last_at": row.last_hour * HOUR_SECONDS}
                for row in rows
            ]
        )
        return 0
    if not rows:
        console.print("No submissions in the trail.")
        return 0
    made = table(kind, *_NUMBERS, "=last hour", "server")
    for row in rows:
        shown = domain_cell(row.name) if asked.by_domain else cell(row.name)
        made.add_row(shown, *_numbers(row.total), minute(row.last_hour * HOUR_SECONDS), cell(row.server))
    print_whole(made)
    return 0


def show_sender(
    connection: History, account: str, *, server: str | None, days: int, now: datetime, as_json: bool
) -> int:
    """Print the days of one sender, on each server that knows it, and what is unusual about it."""
    hour = hour_at(now)
    names = dict.fromkeys(address_mask(connection).searched_account(account.strip()))
    found = []
    for one in servers_of(connection) if server is None else (server,):
        for name in names:
            past = load_past(connection, one, name, hour)
            if past:
                found.append((one, name, past))
    if not found:
        complain(f"{harmless(account)}: not among the senders of the last 35 days")
        return EXIT_UNKNOWN
    today = hour // DAY_HOURS
    shown = [
        {
            "server": one,
            "sender": name,
            "reasons": _reasons(findings_now(past, hour)),
            "days": [
                {"day_at": one_day * DAY_HOURS * HOUR_SECONDS, **asdict(day_of(past, one_day))}
                for one_day in range(today - days + 1, today + 1)
            ],
        }
        for one, name, past in found
    ]
    if as_json:
        print_json(shown)
        return 0
    for one, name, past in found:
        console.print(f"{harmless(name)} on {harmless(one)}", markup=False)
        made = table("=day", *_NUMBERS)
        for one_day in range(today - days + 1, today + 1):
            made.add_row(day(one_day * DAY_HOURS * HOUR_SECONDS), *_numbers(day_of(past, one_day)))
        print_whole(made)
        for text in finding_words(findings_now(past, hour)) or ["Nothing unusual now."]:
            console.print(text, markup=False)
    return 0


def show_unusual(connection: History, *, server: str | None, now: datetime, as_json: bool) -> int:
    """Print the senders that are unusual now."""
    found = unusual_senders(connection, server=server, hour=hour_at(now))
    if as_json:
        print_json([{"server": one.server, "sender": one.sender, "reasons": _reasons(one.findings)} for one in found])
        return 0
    if not found:
        console.print("No unusual senders now.")
        return 0
    made = table("sender", "server", "why")
    for one in found:
        made.add_row(cell(one.sender), cell(one.server), cell("; ".join(finding_words(one.findings))))
    print_whole(made)
    return 0


def _numbers(total: SenderHour) -> Sequence[str]:
    return [number(getattr(total, name)) for name in ORDERS]


def _reasons(findings: Sequence[Finding]) -> Sequence[dict[str, object]]:
    return [{"reason": one.reason.value, "seen": one.seen, "allowed": one.allowed} for one in findings]
