"""``queue pause`` and ``queue resume``."""

from __future__ import annotations

import asyncio

from exporter.cli.history.text import print_json
from exporter.cli.output import complain, console
from exporter.cli.queue import exits
from exporter.cli.queue.acting import Manner
from exporter.cli.queue.asking import confirmed
from exporter.cli.queue.connection import Operation, Site, login_of, operating, require_permissions
from exporter.cli.queue.journal import recording
from exporter.errors import TargetForbidden
from exporter.stalwart.operator.effects import Effect, Result
from exporter.stalwart.operator.switch import NOT_SAID, Switch

PAUSE_NEEDS = ("sysActionCreate", "actionPauseMtaQueue")
RESUME_NEEDS = (
    *("sysActionCreate", "actionResumeMtaQueue"),
    *("sysQueuedMessageQuery", "sysQueuedMessageGet", "sysQueuedMessageUpdate"),
)


def switch(site: Site, *, running: bool, kick: str | None, manner: Manner) -> int:
    """Pause or resume deliveries; return the exit status."""
    login = login_of(site.server, changes=not manner.dry_run)

    async def run() -> int:
        async with operating(site.server, login) as operation:
            return await _switch(operation, site, running=running, kick=kick, manner=manner)

    return asyncio.run(run())


async def _switch(operation: Operation, site: Site, *, running: bool, kick: str | None, manner: Manner) -> int:
    name = "resume" if running else "pause"
    before = await operation.client.fetch_running()
    if manner.dry_run:
        return _print_state(name, before, as_json=manner.as_json)
    require_permissions(operation, RESUME_NEEDS if running else PAUSE_NEEDS)
    if kick is not None and (kick := operation.client.normal_id(kick)) is None:
        complain("--kick: not a message id of this server")
        return exits.REFUSED
    if not confirmed(f"{name.capitalize()} all deliveries of {site.server.name}?", yes=manner.yes):
        return exits.REFUSED
    with recording(site, selection=manner.described, audit=manner.audit) as journal:
        made = Switch(operation.client, clock=operation.clock, journal=journal)
        try:
            effect = await made.resume(kick) if running else await made.pause()
        except TargetForbidden as error:
            complain(f"nothing was changed: {error}")
            return exits.REFUSED
    _print_effect(name, effect, as_json=manner.as_json)
    if effect.result is Result.UNCONFIRMED and not running:
        return exits.ALL_APPLIED  # Nothing could ever confirm it.
    return exits.status_of([effect.result])


def _print_state(name: str, running: bool | None, *, as_json: bool) -> int:
    words = {True: "The queue is running.", False: "The queue is paused.", None: f"Unknown: {NOT_SAID}."}[running]
    if as_json:
        print_json({"action": name, "dry_run": True, "running": running})
    else:
        console.print(f"{words} Nothing was changed.")
    return exits.ALL_APPLIED


def _print_effect(name: str, effect: Effect, *, as_json: bool) -> None:
    if as_json:
        print_json({"action": name, "dry_run": False, "result": effect.result.value, "detail": effect.detail})
    else:
        detail = f": {effect.detail}" if effect.detail else ""
        console.print(f"{name}: {effect.result.value.replace('_', ' ')}{detail}", markup=False)
