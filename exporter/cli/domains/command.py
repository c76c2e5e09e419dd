"""``stalwart-exporter domains``: the results of domain checks, with or without a running daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli.history.arguments import AsJson, Config, StorePath, query

domains_app = typer.Typer(
    name="domains",
    help="List the results of domain checks, and show what to publish.",
    no_args_is_help=True,
    add_completion=False,
)

Server = Annotated[str | None, typer.Option(help="Only domains of this server.")]


@domains_app.command("list")
def list_(
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    bad: Annotated[bool, typer.Option("--bad", help="Only domains with a bad result.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    List the checked domains with what is bad or unknown, and since when.

    The daemon checks them, every hour by default. Exit status: 0 success, 1 the history cannot be read.
    """
    from exporter.cli.domains.listing import show_list

    query(store, config, lambda connection: show_list(connection, server=server, bad=bad, as_json=as_json))


@domains_app.command()
def show(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="A domain or the server's host, in any form.")],
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    records: Annotated[
        bool, typer.Option("--records", help="Print only the records to publish, as lines of a zone file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """
    Show each check of a domain: its result, since when, what was seen, and what to publish.

    The records can be pasted into a zone file; they replace all records of the same name and type that the output
    lists as replaced. Exit status: 0 success, 1 the history cannot be read, 3 the domain has not been checked.
    """
    from exporter.cli.domains.show import show_domain
    from exporter.cli.history.options import domain_of

    name = domain_of("DOMAIN", domain)
    query(
        store, config, lambda connection: show_domain(connection, name, server=server, records=records, as_json=as_json)
    )
