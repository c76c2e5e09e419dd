"""``queue log``: what was changed, by whom."""

from __future__ import annotations

from exporter.cli.history.text import cell, print_json, table
from exporter.cli.output import complain, print_whole
from exporter.cli.queue import exits
from exporter.history.texts import number, stamp
from exporter.store.audit import audit_entries
from exporter.store.reading import History


def show_log(connection: History, *, server: str | None, message_id: str | None, most: int, as_json: bool) -> int:
    """Print the newest records first; return the exit status."""
    rows = [dict(row) for row in audit_entries(connection, server=server, message_id=message_id, most=most)]
    if as_json:
        print_json([{**row, "at": stamp(row["at"])} for row in rows])
        return exits.ALL_APPLIED
    if not rows:
        complain("no change is recorded")
        return exits.NOTHING_MATCHED
    made = table("=at", "user", "server", "=action", "=message", "#recipients", "=result", "detail", "filter")
    for row in rows:
        whole = "all" if row["message_id"] else ""
        recipients = number(row["recipients"]) if row["recipients"] else whole
        made.add_row(
            stamp(row["at"]),
            cell(row["os_user"]),
            cell(row["server"]),
            cell(row["action"]),
            cell(row["message_id"]),
            recipients,
            cell(row["result"]),
            cell(row["detail"]),
            cell(row["selection"]),
        )
    print_whole(made)
    return exits.ALL_APPLIED
