"""``stalwart-exporter reports``: questions to the report history, answered while the daemon runs or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from exporter.errors import StoreError

EXIT_UNUSABLE = 1

reports_app = typer.Typer(
    name="reports",
    help="DMARC, TLS and ARF reports: list, show, sum up, export and prune the history.",
    no_args_is_help=True,
    add_completion=False,
)

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file (TOML) that names the history file (store.path)."),
]
StorePath = Annotated[Path | None, typer.Option("--store", help="The history file itself, instead of the configured.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]
Server = Annotated[str | None, typer.Option(help="Only reports that the server of this name received.")]
Domain = Annotated[str | None, typer.Option(help="Only reports about this domain, in any spelling.")]
Kind = Annotated[str | None, typer.Option(help="Only reports of this kind: dmarc, tls or arf.")]
Reporter = Annotated[str | None, typer.Option(help="Only reporters whose name contains this, in any case.")]
Since = Annotated[str | None, typer.Option(help="Only reports that end at or after this: 7d, 2026-11-21, or a time.")]
Until = Annotated[str | None, typer.Option(help="Only reports that end before this: 1d, 2026-11-21, or a time.")]
Result = Annotated[
    str | None,
    typer.Option(help="Only reports with such results: aligned, failed, success, failure, or a kind of feedback."),
]
Most = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="At most so many lines.")]


@reports_app.command("list")
def list_(
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    domain: Domain = None,
    kind: Kind = None,
    reporter: Reporter = None,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    most: Most = 50,
    rejected: Annotated[bool, typer.Option("--rejected", help="List the reports that could not be read.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    List reports, the most recently received first.

    DMARC counts messages, TLS sessions; of feedback only the failed column counts. With --kind arf the lines say what
    each complaint is about. Exit status: 0, 1 the history cannot be read, 2 wrong options.
    """
    from exporter.cli.reports.listing import show_list, show_rejected
    from exporter.cli.reports.options import Given, filter_of, store_settings
    from exporter.store.reports.reading import reading

    given = Given(server=server, domain=domain, kind=kind, reporter=reporter, since=since, until=until, result=result)
    wanted = filter_of(given, now=_now())
    path = store_settings(store, config).path
    show = show_rejected if rejected else show_list

    def answer() -> int:
        with reading(path) as connection:
            return show(connection, wanted, most=most, as_json=as_json)

    _finish(answer)


@reports_app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As in `reports list`, or rejected-<n>.")],
    config: Config = None,
    store: StorePath = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the server's answer that it was read from.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one report whole. Exit status 3 if there is none of that id."""
    from exporter.cli.reports.options import store_settings
    from exporter.cli.reports.show import show_report
    from exporter.store.reports.reading import reading

    path = store_settings(store, config).path

    def answer() -> int:
        with reading(path) as connection:
            return show_report(connection, id_, raw=raw, as_json=as_json)

    _finish(answer)


@reports_app.command()
def top(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="sources, reporters or domains (those that fail).")],
    config: Config = None,
    store: StorePath = None,
    window: Annotated[str, typer.Option(help="How far back: 1d, 7d, 30d, any duration, or all.")] = "30d",
    server: Server = None,
    domain: Domain = None,
    kind: Kind = None,
    reporter: Reporter = None,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    most: Most = 20,
    as_json: AsJson = False,
) -> None:
    """
    Say who stands out: source addresses by messages, reporters by reports, domains by failed messages.

    With --result failed, sources come by failed messages. --since and --until take the place of --window.
    """
    from exporter.cli.reports.listing import TOPS, show_top
    from exporter.cli.reports.options import Given, filter_of, store_settings
    from exporter.store.reports.reading import reading

    if what not in TOPS:
        raise typer.BadParameter(f"WHAT: one of {', '.join(TOPS)}")
    if what != "reporters" and (kind or "dmarc").lower() != "dmarc":
        raise typer.BadParameter(f"--kind: {what} are of DMARC reports only")
    span = ""
    if since is None and until is None and window != "all":
        since, span = window, f" (window {window})"
    given = Given(server=server, domain=domain, kind=kind, reporter=reporter, since=since, until=until, result=result)
    wanted = filter_of(given, now=_now())
    path = store_settings(store, config).path

    def answer() -> int:
        with reading(path) as connection:
            return show_top(connection, what, wanted, most=most, as_json=as_json, span=span)

    _finish(answer)


@reports_app.command()
def summary(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain, in any spelling.")],
    config: Config = None,
    store: StorePath = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="The window that sources are judged by.")] = 30,
    server: Server = None,
    most: Most = 10,
    as_json: AsJson = False,
) -> None:
    """
    Sum up a domain's DMARC: alignment by week, new sources, silent reporters, and how far it is from p=reject.

    Exit status 3 if there are no reports about it.
    """
    from exporter.cli.reports.options import domain_of, store_settings
    from exporter.cli.reports.summary import show_summary
    from exporter.store.reports.reading import reading

    name = domain_of("DOMAIN", domain)
    path = store_settings(store, config).path

    def answer() -> int:
        with reading(path) as connection:
            return show_summary(connection, name, now=_now(), days=days, most=most, server=server, as_json=as_json)

    _finish(answer)


@reports_app.command()
def export(
    config: Config = None,
    store: StorePath = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="json, jsonl or csv.")] = "json",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; default: standard output.")] = None,
    server: Server = None,
    domain: Domain = None,
    kind: Kind = None,
    reporter: Reporter = None,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """
    Write whole reports to a file or a pipe, the oldest first.

    A file appears under its name once it is complete. CSV has a line for each record, policy, failure or feedback.
    """
    from exporter.cli.reports.export import FORMATS
    from exporter.cli.reports.export import export as write
    from exporter.cli.reports.options import Given, filter_of, store_settings
    from exporter.store.reports.reading import reading

    fmt = "json" if as_json else fmt
    if fmt not in FORMATS:
        raise typer.BadParameter(f"--format: one of {', '.join(FORMATS)}")
    given = Given(server=server, domain=domain, kind=kind, reporter=reporter, since=since, until=until, result=result)
    wanted = filter_of(given, now=_now())
    path = store_settings(store, config).path

    def answer() -> int:
        with reading(path) as connection:
            return write(connection, wanted, fmt=fmt, output=output)

    _finish(answer)


@reports_app.command()
def prune(
    config: Config = None,
    store: StorePath = None,
    older_than: Annotated[
        str | None, typer.Option(help="Age by receipt, such as 90d. Default: the configured store.retention.")
    ] = None,
    server: Server = None,
    domain: Domain = None,
    kind: Kind = None,
    reporter: Reporter = None,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Delete old reports, a few at a time, also while the daemon runs.

    Counters stay as they are, window sums follow. What is deleted is not fetched again. Rejected reports go too, unless
    a filter other than --server and --kind is given. Exit status 2 without a yes.
    """
    from exporter.cli.reports.options import Given, duration_of, filter_of, store_settings
    from exporter.cli.reports.prune import prune as delete

    given = Given(server=server, domain=domain, kind=kind, reporter=reporter, since=since, until=until, result=result)
    now = _now()
    wanted = filter_of(given, now=now)
    settings = store_settings(store, config)
    age = settings.retention if older_than is None else duration_of("--older-than", older_than)
    before = now - timedelta(seconds=age)
    _finish(lambda: delete(settings.path, wanted, before=before, yes=yes, dry_run=dry_run, as_json=as_json))


@reports_app.command()
def status(
    config: Config = None,
    store: StorePath = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow a backfill until it is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how many reports there are of each server and kind, and how many are still to be fetched."""
    from exporter.cli.reports.options import store_settings
    from exporter.cli.reports.prune import show_status

    path = store_settings(store, config).path
    _finish(lambda: show_status(path, wait=wait, as_json=as_json))


def _now() -> datetime:
    return datetime.now(UTC)


def _finish(answer: Callable[[], int]) -> None:
    """Ends the command with the status of *answer*; trouble with the history is one line and status 1."""
    from exporter.cli.output import complain

    try:
        status = answer()
    except StoreError as error:
        complain(str(error))
        status = EXIT_UNUSABLE
    raise typer.Exit(status)
