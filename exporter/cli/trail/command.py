"""``stalwart-exporter trail``: queries of the kept messages and refusals, with or without a running daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exporter.cli.history.arguments import AsJson, AsJsonFormat, Config, Format, Most, Output, StorePath, now, query
from exporter.cli.history.sharing import with_options
from exporter.cli.trail.arguments import Given, OnlyDomain, Refused, Server

if TYPE_CHECKING:
    from exporter.store.reading import History

trail_app = typer.Typer(
    name="trail",
    help="List, show and export what is kept of messages and refused sessions.",
    no_args_is_help=True,
    add_completion=False,
)


@trail_app.command("list")
@with_options(Given)
def list_(
    *,
    config: Config = None,
    store: StorePath = None,
    given: Given,
    refused: Refused = False,
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """
    List messages, or with --refused what was refused, newest first.

    The state is that of the trail; `why` also asks the server. Exit status: 0 success, 1 the history cannot be read, 2
    invalid options.
    """
    from exporter.cli.trail.listing import show_list, show_refused
    from exporter.cli.trail.options import filter_of

    moment = now()
    wanted = filter_of(given, now=moment, refused=refused)

    def answer(connection: History) -> int:
        if refused:
            return show_refused(connection, wanted, most=most, as_json=as_json)
        return show_list(connection, wanted, most=most, as_json=as_json, now=moment)

    query(store, config, answer)


@trail_app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A queue id: decimal, hexadecimal or as in the JMAP API.")],
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    only_domain: OnlyDomain = None,
    as_json: AsJson = False,
) -> None:
    """Show everything kept of one message. Exit status 3 if nothing is."""
    from exporter.cli.history.options import domain_of
    from exporter.cli.trail.listing import show_one

    limit = None if only_domain is None else domain_of("--only-domain", only_domain)
    moment = now()
    query(
        store,
        config,
        lambda connection: show_one(connection, id_, server=server, only_domain=limit, as_json=as_json, now=moment),
    )


@trail_app.command()
@with_options(Given)
def export(
    *,
    config: Config = None,
    store: StorePath = None,
    fmt: Format = "json",
    output: Output = None,
    given: Given,
    refused: Refused = False,
    as_json: AsJsonFormat = False,
) -> None:
    """
    Write whole messages, or with --refused the refusals, to a file or a pipe, newest first.

    The file is created once the export is complete. CSV has one line per recipient, or per refusal.
    """
    from exporter.cli.history.options import one_of
    from exporter.cli.trail.export import export as write
    from exporter.cli.trail.options import filter_of
    from exporter.history.exports import FORMATS

    fmt = "json" if as_json else one_of("--format", fmt, FORMATS)
    moment = now()
    wanted = filter_of(given, now=moment, refused=refused)
    query(
        store, config, lambda connection: write(connection, wanted, refused=refused, fmt=fmt, output=output, now=moment)
    )
