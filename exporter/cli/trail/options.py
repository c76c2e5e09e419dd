"""The options shared by the trail commands, parsed to values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import typer

from exporter.cli.history.options import domain_of, moment_of, one_of
from exporter.cli.trail.arguments import Given
from exporter.model.delivery import Outcome
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.trail.filter import TrailFilter

RESULTS: Mapping[str, Outcome] = {
    "delivered": Outcome.DELIVERED,
    "failed": Outcome.PERMANENT_FAILURE,
    "deferred": Outcome.TEMPORARY_FAILURE,
}
KINDS = [kind.value for kind in MessageKind if kind is not MessageKind.UNKNOWN]


def filter_of(given: Given, *, now: datetime, refused: bool) -> TrailFilter:
    """Return the filter; raises `typer.BadParameter`, which exits with status 2."""
    if refused and (given.kind is not None or given.result is not None):
        raise typer.BadParameter("--kind and --result are about messages, not about refusals (--refused)")
    if not refused and (given.reason is not None or given.client is not None):
        raise typer.BadParameter("--reason and --client are about refusals: add --refused")
    return TrailFilter(
        server=given.server,
        domain=None if given.domain is None else domain_of("--domain", given.domain),
        address=None if given.address is None else given.address.strip().lower(),
        account=given.account,
        remote_ip=given.client,
        kind=None if given.kind is None else MessageKind(one_of("--kind", given.kind, KINDS)),
        outcome=None if given.result is None else RESULTS[one_of("--result", given.result, RESULTS)],
        reason=None if given.reason is None else RefusalReason(one_of("--reason", given.reason, [*RefusalReason])),
        since=None if given.since is None else moment_of("--since", given.since, now=now),
        until=None if given.until is None else moment_of("--until", given.until, now=now),
        only_domain=None if given.only_domain is None else domain_of("--only-domain", given.only_domain),
    )
