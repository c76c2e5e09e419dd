"""``stalwart-exporter accounts``: who uses how much of a quota, as the server reports it now."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli.history.arguments import AsJson, Most
from exporter.cli.queue.arguments import Config, Server

accounts_app = typer.Typer(
    name="accounts",
    help="Name the accounts behind the metrics of quotas.",
    no_args_is_help=True,
    add_completion=False,
)


@accounts_app.callback()
def accounts() -> None:
    """Name the accounts behind the metrics of quotas."""


@accounts_app.command()
def quota(
    config: Config = None,
    server: Server = None,
    at_least: Annotated[
        float, typer.Option(min=0, max=1, help="Only accounts that have used this share of their quota: 0.9.")
    ] = 0.0,
    domain: Annotated[str | None, typer.Option(help="Only accounts of this domain, in Unicode or xn-- form.")] = None,
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """
    List the accounts with a quota, the fullest first.

    Reads them from the server with the exporter's own key, which up to v0.15 needs individual-list, and from v0.16 on
    sysAccountQuery and sysAccountGet. Exit status: 0 success, 1 the server cannot be used, 2 invalid options or
    configuration, or a missing permission, 3 no account matches.
    """
    from exporter.cli.accounts.quota import Asked, finish, list_quotas
    from exporter.cli.history.options import domain_of
    from exporter.cli.queue.connection import site_of

    name = None if domain is None else domain_of("--domain", domain)
    asked = Asked(at_least=at_least, domain=name, most=most)
    finish(lambda: list_quotas(site_of(config, server).server, asked, as_json=as_json))
