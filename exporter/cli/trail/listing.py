"""``trail list`` and ``trail show``: messages and refusals, a line each, or one message in full."""

from __future__ import annotations

from datetime import datetime

from exporter.answers.asked import parse_asked
from exporter.answers.gather import match_of
from exporter.cli.history.text import cell, facts, print_json, table
from exporter.cli.output import complain, console
from exporter.cli.why.text import match_table, recipient_table, show_message_facts, show_timeline
from exporter.history.message_facts import queue_id_words
from exporter.history.shape import match_fields, refusal_fields, trail_fields
from exporter.history.texts import counted, moment
from exporter.store.reading import History
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader

EXIT_NOT_FOUND = 3


def show_list(connection: History, wanted: TrailFilter, *, most: int, as_json: bool, now: datetime) -> int:
    """Print the newest messages."""
    reader = TrailReader(connection, only_domain=wanted.only_domain)
    found = reader.messages(wanted, most=most + 1)
    matches = [match_of(reader, one, now) for one in found[:most]]
    if as_json:
        print_json([match_fields(one) for one in matches])
        return 0
    console.print(match_table(matches) if matches else "No messages.")
    _print_total(len(found), most, "message")
    return 0


def show_refused(connection: History, wanted: TrailFilter, *, most: int, as_json: bool) -> int:
    """Print the newest refusals."""
    reader = TrailReader(connection, only_domain=wanted.only_domain)
    found = reader.refusals(wanted, most=most + 1)
    if as_json:
        print_json([refusal_fields(one) for one in found[:most]])
        return 0
    several = len({one.server for one in found}) > 1
    made = table("=time", "=reason", "sender", "recipient", "client", *(["server"] if several else []))
    for one in found[:most]:
        made.add_row(
            moment(one.at),
            one.reason.value.replace("_", " "),
            cell(one.sender or one.account),
            cell(one.recipient),
            cell(one.remote_ip),
            *([cell(one.server)] if several else []),
        )
    console.print(made if found else "No refusals.")
    _print_total(len(found), most, "refusal")
    return 0


def _print_total(found: int, most: int, one: str) -> None:
    if found:
        more = " (--limit shows more)" if found > most else ""
        console.print(f"\n{counted(min(found, most), one)}{more}")


def show_one(
    connection: History, id_: str, *, server: str | None, only_domain: str | None, as_json: bool, now: datetime
) -> int:
    """Print everything kept of the message with this queue id, in any spelling."""
    reader = TrailReader(connection, only_domain=only_domain)
    for queue_id in parse_asked(id_).queue_ids:
        for name in reader.servers if server is None else (server,):
            trail = reader.trail(name, queue_id, now=now)
            if trail is None:
                continue
            if as_json:
                print_json(trail_fields(trail))
                return 0
            made = facts()
            made.add_row("queue id", cell(queue_id_words(queue_id)))
            made.add_row("server", cell(name))
            show_message_facts(made, trail)
            console.print(made)
            console.print()
            console.print(recipient_table(trail.recipients))
            show_timeline(trail)
            return 0
    complain(f"no message {id_}; `trail list` shows the ids, and `why {id_}` says why it may be missing")
    return EXIT_NOT_FOUND
