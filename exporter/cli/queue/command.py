"""``stalwart-exporter queue``: control of a server's queue, with a login of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli.queue.arguments import (
    AsJson,
    Attempts,
    Config,
    Domain,
    Id,
    Ids,
    OlderThan,
    Queue,
    Recipient,
    Sender,
    Server,
    Status,
    Text,
)
from exporter.cli.queue.changing import cancel, pause, resume, retry
from exporter.cli.queue.finishing import finish

queue_app = typer.Typer(
    name="queue",
    help="List, show, retry and cancel queued messages, pause and resume deliveries.",
    no_args_is_help=True,
    add_completion=False,
)
for change in (retry, cancel, pause, resume):
    queue_app.command()(change)


@queue_app.command("list")
def list_(
    ids: Ids = None,
    config: Config = None,
    server: Server = None,
    sender: Sender = None,
    recipient: Recipient = None,
    domain: Domain = None,
    older_than: OlderThan = None,
    attempts: Attempts = None,
    status: Status = None,
    queue: Queue = None,
    text: Text = None,
    most: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="Maximum number of lines.")] = 50,
    as_json: AsJson = False,
) -> None:
    """
    List queued messages, oldest first.

    Exit status: 0 success, 1 the server cannot be used, 2 invalid options or configuration, 3 nothing matches.
    """
    from exporter.cli.queue.connection import site_of
    from exporter.cli.queue.listing import list_messages
    from exporter.cli.queue.options import Given, selection_of

    given = Given(
        ids=ids or (),
        sender=sender,
        recipient=recipient,
        domain=domain,
        older_than=older_than,
        attempts=attempts,
        status=status,
        queue=queue,
        text=text,
    )
    selection = selection_of(given)
    finish(lambda: list_messages(site_of(config, server), selection, given.ids, most=most, as_json=as_json))


@queue_app.command()
def show(id_: Id, config: Config = None, server: Server = None, as_json: AsJson = False) -> None:
    """Show a message with every recipient. Exit status 3 if it is not in the queue."""
    from exporter.cli.queue.connection import site_of
    from exporter.cli.queue.listing import show_message

    finish(lambda: show_message(site_of(config, server), id_, as_json=as_json))


@queue_app.command("log")
def log_(
    config: Config = None,
    store: Annotated[Path | None, typer.Option("--store", help="History file, instead of the configured one.")] = None,
    server: Server = None,
    id_: Annotated[str | None, typer.Option("--id", help="Only changes of this message.")] = None,
    most: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="Maximum number of lines.")] = 50,
    as_json: AsJson = False,
) -> None:
    """
    List what was changed with these commands: when, by whom, with which result. Newest first.

    Exit status: 0 success, 1 the history cannot be read, 2 invalid options, 3 nothing is recorded.
    """
    from exporter.cli.history.options import store_settings
    from exporter.cli.queue.records import show_log

    path = store_settings(store, config).path
    finish(lambda: show_log(path, server=server, message_id=id_, most=most, as_json=as_json))
