"""``accounts quota``: reads the accounts of one server, page by page; names are untrusted, and sanitised here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import typer

from exporter.app.servers.connection import ServerConnection, connect
from exporter.cli.history.text import cell, print_json, shown_of, table
from exporter.cli.output import complain, console, print_whole
from exporter.cli.queue.connection import Unusable
from exporter.clock import SystemClock
from exporter.domains import domain_name
from exporter.errors import SettingsError, TargetError, TargetForbidden, TargetUnreachable
from exporter.history.texts import number, share
from exporter.model.server import Generation
from exporter.settings import ServerSettings
from exporter.stalwart.common.account_sums import AccountRow
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.rest.accounts import walk_accounts

EXIT_UNUSABLE = 1
EXIT_REFUSED = 2
EXIT_NOTHING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    Which accounts are listed.

    Attributes:
        at_least: The used share of the quota.
        domain: As from `exporter.domains.domain_name`; ``None`` for all.
        most: How many.
    """

    at_least: float
    domain: str | None
    most: int

    def matches(self, row: AccountRow) -> bool:
        """Whether *row* is listed."""
        if not row.quota or row.used < self.at_least * row.quota:
            return False
        return self.domain is None or domain_name(row.address.rpartition("@")[2]) == self.domain


def finish(work: Callable[[], int]) -> None:
    """Exit with the status that *work* returns; what makes it impossible is printed."""
    try:
        status = work()
    except (Unusable, TargetForbidden) as error:
        for line in str(error).splitlines():
            complain(line)
        status = EXIT_REFUSED
    except TargetError as error:
        complain(str(error))
        status = EXIT_UNUSABLE
    raise typer.Exit(status)


def list_quotas(server: ServerSettings, asked: Asked, *, as_json: bool) -> int:
    """Print the accounts that match, the fullest first; return the exit status. Raises `Unusable`, a `TargetError`."""
    found = asyncio.run(_read(server, asked))
    found.sort(key=lambda row: (-row.used / row.quota, row.name, row.address))
    if as_json:
        print_json([_as_json(row, server.name) for row in found[: asked.most]])
    elif found:
        _print_table(found[: asked.most])
        console.print(f"\n{shown_of(min(asked.most, len(found)), len(found), 'account')}")
    else:
        complain("no account with a quota matches")
    return 0 if found else EXIT_NOTHING


def _print_table(rows: Sequence[AccountRow]) -> None:
    lines = table("account", "address", "#used", "#quota", "#share")
    for row in rows:
        account = row.name or row.address
        lines.add_row(cell(account), cell(row.address), number(row.used), number(row.quota), share(row.used, row.quota))
    print_whole(lines)


def _as_json(row: AccountRow, server: str) -> dict[str, object]:
    return {
        "server": server,
        "account": row.name or row.address,
        "address": row.address,
        "used_bytes": row.used,
        "quota_bytes": row.quota,
    }


async def _read(server: ServerSettings, asked: Asked) -> list[AccountRow]:
    try:
        connection = connect(server, clock=SystemClock(), observer=None, ask_version=False)
    except SettingsError as error:
        raise Unusable("\n".join(error.problems)) from error
    try:
        return [row async for rows in _pages(connection) for row in rows if asked.matches(row)]
    finally:
        await connection.aclose()


async def _pages(connection: ServerConnection) -> AsyncIterator[Sequence[AccountRow]]:
    identity = await connection.detector.detect()
    if identity.generation is Generation.UNKNOWN:
        raise TargetUnreachable(identity.note)
    if identity.generation is Generation.JMAP:
        async for rows in connection.jmap.walk_quotas():
            yield rows
        return
    async for rows, _ in walk_accounts(connection.transport, Endpoint.ACCOUNT_QUOTAS):
        yield rows
