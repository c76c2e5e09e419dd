"""``stalwart-exporter senders``: who sends how much, with or without a running daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli.history.arguments import AsJson, Config, Most, StorePath, now, query

senders_app = typer.Typer(
    name="senders",
    help="Show who sends how much, from the trail, and who sends unusually for their own past.",
    no_args_is_help=True,
    add_completion=False,
)

Server = Annotated[str | None, typer.Option(help="Only senders of this server.")]
Domain = Annotated[str | None, typer.Option(help="Only senders with this domain, in Unicode or xn-- form.")]
Since = Annotated[str, typer.Option(help="Since when, in whole hours: 24h, 7d, 2026-11-21, or a time.")]


@senders_app.command()
def top(
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    domain: Domain = None,
    since: Since = "24h",
    by: Annotated[
        str, typer.Option(help="Rank by messages, recipients, destinations, failures or rejects.")
    ] = "messages",
    by_domain: Annotated[bool, typer.Option("--by-domain", help="Sum the senders of each domain.")] = False,
    most: Most = 20,
    as_json: AsJson = False,
) -> None:
    """
    Rank senders, or with --by-domain their domains.

    A sender is the authenticated account or, for mail submitted over JMAP, the envelope sender. Destinations are
    different addresses outside the sender's domain, summed over hours; failures are recipients that failed permanently;
    rejects are refusals of authenticated sessions. Exit status: 0 success, 1 the history cannot be read, 2 invalid
    options.
    """
    from exporter.cli.history.options import domain_of, moment_of, one_of
    from exporter.cli.trail.senders.listing import Asked, show_top
    from exporter.store.trail.senders.queries import ORDERS

    asked = Asked(
        server=server,
        domain=None if domain is None else domain_of("--domain", domain),
        since=moment_of("--since", since, now=now()),
        by=one_of("--by", by, ORDERS),
        by_domain=by_domain,
        most=most,
    )
    query(store, config, lambda connection: show_top(connection, asked, as_json=as_json))


@senders_app.command()
def show(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account, or an envelope sender.")],
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    days: Annotated[int, typer.Option(min=1, max=35, help="How many days to show.")] = 14,
    as_json: AsJson = False,
) -> None:
    """
    Show what an account sent per day, and what is unusual about it now.

    The exact name is also found if the trail stores addresses hashed. Exit status 3 if there is no such sender.
    """
    from exporter.cli.trail.senders.listing import show_sender

    query(
        store,
        config,
        lambda connection: show_sender(connection, account, server=server, days=days, now=now(), as_json=as_json),
    )


@senders_app.command()
def unusual(config: Config = None, store: StorePath = None, server: Server = None, as_json: AsJson = False) -> None:
    """
    List the senders that exceed what their own past allows: in this hour, in the one before, or in the last 24 hours.

    These are the senders behind stalwart_unusual_senders and the alert StalwartUnusualSender. Exit status: 0 success,
    also if there are none, 1 the history cannot be read.
    """
    from exporter.cli.trail.senders.listing import show_unusual

    query(store, config, lambda connection: show_unusual(connection, server=server, now=now(), as_json=as_json))
