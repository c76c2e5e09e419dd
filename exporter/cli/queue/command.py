"""``stalwart-exporter queue``: control of a server's queue, with a login of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli.history.arguments import AsJson, Most, StorePath, query
from exporter.cli.history.sharing import with_options
from exporter.cli.queue.arguments import (
    Config,
    Given,
    Id,
    Server,
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
@with_options(Given)
def list_(
    *,
    config: Config = None,
    server: Server = None,
    given: Given,
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """
    List queued messages, oldest first.

    Exit status: 0 success, 1 the server cannot be used, 2 invalid options or configuration, 3 nothing matches.
    """
    from exporter.cli.queue.connection import site_of
    from exporter.cli.queue.listing import list_messages
    from exporter.cli.queue.options import selection_of

    selection = selection_of(given)
    finish(lambda: list_messages(site_of(config, server), selection, given.ids or (), most=most, as_json=as_json))


@queue_app.command()
def show(id_: Id, config: Config = None, server: Server = None, as_json: AsJson = False) -> None:
    """Show a message with every recipient. Exit status 3 if it is not in the queue."""
    from exporter.cli.queue.connection import site_of
    from exporter.cli.queue.listing import show_message

    finish(lambda: show_message(site_of(config, server), id_, as_json=as_json))


@queue_app.command("log")
def log_(
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    id_: Annotated[str | None, typer.Option("--id", help="Only changes of this message.")] = None,
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """
    List what was changed with these commands: when, by whom, with which result. Newest first.

    Exit status: 0 success, 1 the history cannot be read, 2 invalid options, 3 nothing is recorded.
    """
    from exporter.cli.queue.records import show_log

    query(
        store,
        config,
        lambda connection: show_log(connection, server=server, message_id=id_, most=most, as_json=as_json),
    )
