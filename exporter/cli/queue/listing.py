"""``queue list`` and ``queue show``: read only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from exporter.cli.history.text import print_json
from exporter.cli.output import complain, console, print_whole
from exporter.cli.queue import exits
from exporter.cli.queue.connection import Operation, Site, login_of, operating
from exporter.cli.queue.reading import Found, find
from exporter.cli.queue.text import (
    message_facts,
    message_json,
    message_table,
    recipient_table,
    sum_of,
)
from exporter.history.texts import number
from exporter.stalwart.operator.selection import Selection

TRUNCATED = "the queue is longer than max_queue_messages: only the first {count} messages were examined"


def list_messages(site: Site, selection: Selection, ids: Sequence[str], *, most: int, as_json: bool) -> int:
    """List the messages that match; return the exit status."""
    login = login_of(site.server, changes=False)

    async def run() -> int:
        async with operating(site.server, login) as operation:
            found = await find(operation, selection, ids, max_messages=site.server.max_queue_messages)
            return _print_list(operation, found, site, most=most, as_json=as_json)

    return asyncio.run(run())


def _print_list(operation: Operation, found: Found, site: Site, *, most: int, as_json: bool) -> int:
    now = operation.clock.now()
    matches = [(message, found.selection.matches(message, now)) for message in found.messages]
    for id_, why in found.missing:
        complain(f"{id_}: {why}")
    if found.truncated:
        complain(TRUNCATED.format(count=number(site.server.max_queue_messages)))
    if as_json:
        print_json([message_json(message, meant) for message, meant in matches[:most]])
    elif matches:
        print_whole(message_table(matches[:most], now=now))
        more = f" ({number(most)} shown; --limit shows more)" if len(matches) > most else ""
        console.print(f"\n{sum_of(matches)}{more}")
    else:
        complain("no message matches")
    return exits.ALL_APPLIED if matches else exits.NOTHING_MATCHED


def show_message(site: Site, id_: str, *, as_json: bool) -> int:
    """Show a message with all its recipients; return the exit status."""
    login = login_of(site.server, changes=False)

    async def run() -> int:
        async with operating(site.server, login) as operation:
            found = await find(operation, Selection(), [id_], max_messages=0)
            for given, why in found.missing:
                complain(f"{given}: {why}")
            for message in found.messages:
                if as_json:
                    print_json(message_json(message, message.recipients))
                else:
                    console.print(message_facts(message))
                    console.print()
                    print_whole(recipient_table(message.recipients, now=operation.clock.now()))
            return exits.ALL_APPLIED if found.messages else exits.NOTHING_MATCHED

    return asyncio.run(run())
