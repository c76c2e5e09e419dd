"""The commands of ``queue`` that change something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from exporter.cli.history.arguments import AsJson
from exporter.cli.history.sharing import with_options
from exporter.cli.queue.arguments import (
    Config,
    DryRun,
    Everything,
    Given,
    NoAudit,
    Server,
    Yes,
)
from exporter.cli.queue.finishing import finish

if TYPE_CHECKING:
    from exporter.cli.queue.acting import ActionOf, Manner


@with_options(Given)
def retry(
    *,
    config: Config = None,
    server: Server = None,
    given: Given,
    everything: Everything = False,
    at: Annotated[str | None, typer.Option(help="When to try: 30m, or 2026-12-01T12:00:00Z. Default: now.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_audit: NoAudit = False,
    as_json: AsJson = False,
) -> None:
    """
    Try to deliver messages now, and check that the server did so.

    Every condition must hold; recipients that do not match are left alone. Exit status: 0 all applied, 1 the server or
    the history cannot be used, 2 nothing was touched, 3 nothing matches, 4 some were not applied, 130 interrupted.
    """
    from exporter.cli.queue.options import time_of
    from exporter.stalwart.operator.control import Retry

    _change(
        lambda operation: Retry(time_of(at, now=operation.clock.now())),
        given,
        Options(config, server, everything, yes, dry_run, no_audit, as_json),
    )


@with_options(Given)
def cancel(
    *,
    config: Config = None,
    server: Server = None,
    given: Given,
    everything: Everything = False,
    watch: Annotated[
        str, typer.Option(help="How long to watch messages that a running attempt may write back; 0s: not at all.")
    ] = "2m",
    yes: Yes = False,
    dry_run: DryRun = False,
    no_audit: NoAudit = False,
    as_json: AsJson = False,
) -> None:
    """
    End the delivery of messages, and check that they are gone.

    A message whose recipients all match is removed without a bounce; otherwise the recipients that match fail, and
    their sender gets one. Exit statuses as for `retry`.
    """
    from exporter.cli.history.options import duration_of
    from exporter.stalwart.operator.control import Cancel

    seconds = duration_of("--watch", watch)
    _change(
        lambda operation: Cancel(seconds),
        given,
        Options(config, server, everything, yes, dry_run, no_audit, as_json),
    )


def pause(
    config: Config = None,
    server: Server = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_audit: NoAudit = False,
    as_json: AsJson = False,
) -> None:
    """
    Pause all deliveries of the server that answers, local ones included; running attempts continue.

    A restart of the server ends the pause. With --dry-run, only print the state. Exit statuses as for `retry`.
    """
    _switch(Options(config, server, False, yes, dry_run, no_audit, as_json), running=False, kick=None)


def resume(
    config: Config = None,
    server: Server = None,
    kick: Annotated[
        str | None, typer.Option(metavar="ID", help="The message to retry if the queue does not wake by itself.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_audit: NoAudit = False,
    as_json: AsJson = False,
) -> None:
    """
    Resume deliveries, and check that attempts begin.

    v0.11 to v0.16.12 sleep after a pause until something happens in the queue: if nothing is attempted, one message is
    retried. With --dry-run, only print the state. Exit statuses as for `retry`.
    """
    _switch(Options(config, server, False, yes, dry_run, no_audit, as_json), running=True, kick=kick)


class Options(NamedTuple):
    """The options that every change has."""

    config: Path | None
    server: str | None
    everything: bool
    yes: bool
    dry_run: bool
    no_audit: bool
    as_json: bool


def _change(action: ActionOf, given: Given, options: Options) -> None:
    from exporter.cli.queue.acting import change
    from exporter.cli.queue.connection import site_of
    from exporter.cli.queue.options import described, require_filter, selection_of

    require_filter(given, everything=options.everything)
    selection = selection_of(given)
    manner = _manner(options, described(given, selection, everything=options.everything))
    finish(lambda: change(site_of(options.config, options.server), action, selection, given.ids or (), manner))


def _switch(options: Options, *, running: bool, kick: str | None) -> None:
    from exporter.cli.queue.connection import site_of
    from exporter.cli.queue.switching import switch

    manner = _manner(options, "")
    finish(lambda: switch(site_of(options.config, options.server), running=running, kick=kick, manner=manner))


def _manner(options: Options, described: str) -> Manner:
    from exporter.cli.queue.acting import Manner

    return Manner(
        yes=options.yes,
        dry_run=options.dry_run,
        as_json=options.as_json,
        audit=not options.no_audit,
        described=described,
    )
