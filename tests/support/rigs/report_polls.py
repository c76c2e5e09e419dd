"""Polls of the collector of reports on a server that has received some."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from tests.support.reports import wire
from tests.support.rigs.reports import Rig, rig
from tests.support.servers.reports import ReportServer, serving

START = wire.at("2026-11-20T00:00:00")


def id_of(number: int) -> str:
    """The id of the *number*-th report."""
    return wire.report_id(START + timedelta(seconds=number), number)


def with_reports(count: int, kind: str = "dmarc") -> ReportServer:
    """A server with so many reports of one message each."""
    server = ReportServer()
    make = {"dmarc": wire.dmarc, "tls": wire.tls}[kind]
    for number in range(count):
        server.add(kind, id_of(number), wire.body(make(f"r-{number}")))
    return server


def live(server: ReportServer, path: Path, act: Callable[[Rig], Awaitable[None]], **options: object) -> None:
    """One life of the collector beside *server*, in which *act* happens."""

    async def run(url: str) -> None:
        async with rig(url, path, **options) as life:  # type: ignore[arg-type]
            await act(life)

    with serving(server) as url:
        asyncio.run(run(url))


async def poll(life: Rig) -> None:
    """One poll."""
    await life.run()
