"""``stalwart-exporter reports``: queries of the report history, with or without a running daemon."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated

import typer

from exporter.cli.history.arguments import (
    AsJson,
    AsJsonFormat,
    Config,
    Format,
    Most,
    Output,
    StorePath,
    finish,
    now,
    query,
)
from exporter.cli.history.sharing import with_options
from exporter.cli.reports.arguments import Given, Server

reports_app = typer.Typer(
    name="reports",
    help="List, show, summarize, export and prune the history of DMARC, TLS and ARF reports.",
    no_args_is_help=True,
    add_completion=False,
)


@reports_app.command("list")
@with_options(Given)
def list_(
    *,
    config: Config = None,
    store: StorePath = None,
    given: Given,
    most: Most = 50,
    rejected: Annotated[bool, typer.Option("--rejected", help="List the reports that could not be parsed.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    List reports, most recently received first.

    DMARC reports count messages, TLS reports count sessions; feedback reports have only a failed count. With --kind
    arf, each line describes the complaint. Exit status: 0 success, 1 the history cannot be read, 2 invalid options.
    """
    from exporter.cli.reports.listing import show_list, show_rejected
    from exporter.cli.reports.options import filter_of

    wanted = filter_of(given, now=now())
    show = show_rejected if rejected else show_list
    query(store, config, lambda connection: show(connection, wanted, most=most, as_json=as_json))


@reports_app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An id from `reports list`, or rejected-<n>.")],
    config: Config = None,
    store: StorePath = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the server's response that the report was parsed from.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a report in full. Exit status 3 if the id does not exist."""
    from exporter.cli.reports.show import show_report

    query(store, config, lambda connection: show_report(connection, id_, raw=raw, as_json=as_json))


@reports_app.command()
@with_options(Given)
def top(
    *,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="sources, reporters or (failing) domains.")],
    config: Config = None,
    store: StorePath = None,
    window: Annotated[str, typer.Option(help="Time window: 1d, 7d, 30d, any duration, or all.")] = "30d",
    given: Given,
    most: Most = 20,
    as_json: AsJson = False,
) -> None:
    """
    Rank source addresses by messages, reporters by reports, or domains by failed messages.

    With --result failed, sources are ranked by failed messages. --since and --until replace --window.
    """
    from exporter.cli.reports.listing import TOPS, show_top
    from exporter.cli.reports.options import filter_of

    if what not in TOPS:
        raise typer.BadParameter(f"WHAT: one of {', '.join(TOPS)}")
    if what != "reporters" and (given.kind or "dmarc").lower() != "dmarc":
        raise typer.BadParameter(f"--kind: {what} exist for DMARC reports only")
    span = ""
    if given.since is None and given.until is None and window != "all":
        given, span = replace(given, since=window), f" (window {window})"
    wanted = filter_of(given, now=now())
    query(store, config, lambda connection: show_top(connection, what, wanted, most=most, as_json=as_json, span=span))


@reports_app.command()
@with_options(Given)
def sources(
    *,
    config: Config = None,
    store: StorePath = None,
    window: Annotated[str, typer.Option(help="Time window: 1d, 7d, 30d, any duration, or all.")] = "30d",
    given: Given,
    most: Most = 20,
    as_json: AsJson = False,
) -> None:
    """Rank source addresses, with their names: the same as `reports top sources`."""
    options = asdict(given)
    top(what="sources", config=config, store=store, window=window, most=most, as_json=as_json, **options)


@reports_app.command()
def summary(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain, in Unicode or xn-- form.")],
    config: Config = None,
    store: StorePath = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Time window for the sources, in days.")] = 30,
    server: Server = None,
    most: Most = 10,
    as_json: AsJson = False,
) -> None:
    """
    Summarize a domain's DMARC reports: weekly alignment, new sources, silent reporters, readiness for p=reject.

    Exit status 3 if there are no reports about the domain.
    """
    from exporter.cli.history.options import domain_of
    from exporter.cli.reports.summary import show_summary

    name = domain_of("DOMAIN", domain)
    query(
        store,
        config,
        lambda connection: show_summary(
            connection, name, now=now(), days=days, most=most, server=server, as_json=as_json
        ),
    )


@reports_app.command()
def deliveries(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain, in Unicode or xn-- form.")],
    config: Config = None,
    store: StorePath = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Time window, in days.")] = 14,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """
    Compare what large receivers report to have got from the server with what was delivered to them, by day.

    Needs the trail and the server's own addresses. Exit status 3 if there is nothing about the domain.
    """
    from exporter.cli.history.options import domain_of
    from exporter.cli.reports.deliveries import show_deliveries

    name = domain_of("DOMAIN", domain)
    query(
        store,
        config,
        lambda connection: show_deliveries(connection, name, now=now(), days=days, server=server, as_json=as_json),
    )


@reports_app.command()
def readiness(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="One domain, with its sources.")] = None,
    config: Config = None,
    store: StorePath = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Time window, in days.")] = 30,
    server: Server = None,
    most: Most = 20,
    as_json: AsJson = False,
) -> None:
    """
    Show which domains are ready for their next DMARC policy, and which mail that policy would hurt.

    Nothing is called ready on thin data: 100 messages over 14 days from 2 reporters. Exit status 3 if there are no
    reports about the domain.
    """
    from exporter.cli.history.options import domain_of
    from exporter.cli.reports.readiness import show_readiness

    name = None if domain is None else domain_of("DOMAIN", domain)
    query(
        store,
        config,
        lambda connection: show_readiness(
            connection, name, now=now(), days=days, most=most, server=server, as_json=as_json
        ),
    )


@reports_app.command()
@with_options(Given)
def export(
    *,
    config: Config = None,
    store: StorePath = None,
    fmt: Format = "json",
    output: Output = None,
    given: Given,
    as_json: AsJsonFormat = False,
) -> None:
    """
    Write full reports to a file or a pipe, oldest first.

    The file is created once the export is complete. CSV has one line per record, policy, failure or feedback.
    """
    from exporter.cli.reports.export import export as write
    from exporter.cli.reports.options import filter_of
    from exporter.history.exports import FORMATS

    fmt = "json" if as_json else fmt
    if fmt not in FORMATS:
        raise typer.BadParameter(f"--format: one of {', '.join(FORMATS)}")
    wanted = filter_of(given, now=now())
    query(store, config, lambda connection: write(connection, wanted, fmt=fmt, output=output))


@reports_app.command()
@with_options(Given)
def prune(
    *,
    config: Config = None,
    store: StorePath = None,
    older_than: Annotated[
        str | None, typer.Option(help="Minimum age since receipt, such as 90d. Default: store.retention.")
    ] = None,
    given: Given,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Delete old reports in small batches, even while the daemon runs.

    Counters do not change, window sums do. Deleted reports are not fetched again. Rejected reports are deleted too,
    unless a filter other than --server and --kind is given. Exit status 2 without confirmation.
    """
    from exporter.cli.history.options import duration_of, store_settings
    from exporter.cli.reports.options import filter_of
    from exporter.cli.reports.prune import prune as delete

    moment = now()
    wanted = filter_of(given, now=moment)
    settings = store_settings(store, config)
    age = settings.retention if older_than is None else duration_of("--older-than", older_than)
    before = moment - timedelta(seconds=age)
    finish(lambda: delete(settings.path, wanted, before=before, yes=yes, dry_run=dry_run, as_json=as_json))


@reports_app.command()
def status(
    config: Config = None,
    store: StorePath = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the backfill has finished.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the number of reports per server and kind, and how many are still to be fetched."""
    from exporter.cli.history.options import store_settings
    from exporter.cli.reports.prune import show_status

    path = store_settings(store, config).path
    finish(lambda: show_status(path, wait=wait, as_json=as_json))
