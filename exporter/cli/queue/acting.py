"""``queue retry`` and ``queue cancel``: show, confirm, change one message at a time, read back, record."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exporter.cli.history.text import print_json
from exporter.cli.output import complain, console, print_whole, problems
from exporter.cli.queue import exits
from exporter.cli.queue.asking import confirmed, show_plan
from exporter.cli.queue.connection import Operation, Site, login_of, operating, require_permissions
from exporter.cli.queue.journal import recording
from exporter.cli.queue.listing import TRUNCATED
from exporter.cli.queue.reading import Found, find
from exporter.cli.queue.text import message_json, result_table, scope, sum_of
from exporter.errors import StoreError, TargetError, TargetForbidden
from exporter.history.texts import counted, number
from exporter.stalwart.operator.client import Target
from exporter.stalwart.operator.control import Cancel, Control, Retry
from exporter.stalwart.operator.effects import Effect, Result
from exporter.stalwart.operator.selection import Selection

MOST_RESULTS = 50
NEEDED = ("sysQueuedMessageQuery", "sysQueuedMessageGet", "sysQueuedMessageUpdate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """
    How a command changes something.

    Attributes:
        yes: Without asking.
        audit: Whether the change is recorded.
        described: The filter as it is recorded.
    """

    yes: bool
    dry_run: bool
    as_json: bool
    audit: bool
    described: str


ActionOf = Callable[[Operation], Retry | Cancel]
Results = list[tuple[str, Effect]]


def change(site: Site, action: ActionOf, selection: Selection, ids: Sequence[str], manner: Manner) -> int:
    """Retry or cancel what matches; return the exit status."""
    login = login_of(site.server, changes=not manner.dry_run)

    async def run() -> int:
        async with operating(site.server, login) as operation:
            return await _change(operation, site, action(operation), selection, ids, manner)

    return asyncio.run(run())


async def _change(
    operation: Operation, site: Site, action: Retry | Cancel, selection: Selection, ids: Sequence[str], manner: Manner
) -> int:
    if not manner.dry_run:
        destroy = ("sysQueuedMessageDestroy",) if isinstance(action, Cancel) else ()
        require_permissions(operation, (*NEEDED, *destroy))
    found = await find(operation, selection, ids, max_messages=site.server.max_queue_messages)
    if found.truncated:
        complain(TRUNCATED.format(count=number(site.server.max_queue_messages)))
    targets, results = _targets(operation, found, named=bool(ids))
    if not targets:
        _print(action, results, manner)
        complain("no recipient that can be changed matches")
        return exits.NOTHING_MATCHED
    if manner.dry_run:
        return _print_dry_run(operation, action, targets, results, as_json=manner.as_json)
    if not manner.yes:
        show_plan(operation, action, targets, out=problems)
    what = sum_of([(target.message, scope(target)) for target in targets])
    if not confirmed(f"{action.name.capitalize()} {what}?", yes=manner.yes):
        return exits.REFUSED
    return await _apply(operation, site, action, targets, found.selection, results, manner)


def _targets(operation: Operation, found: Found, *, named: bool) -> tuple[list[Target], Results]:
    """Return what to change, and the results for ids that cannot be changed."""
    results = [(id_, Effect(Result.LEFT, why)) for id_, why in found.missing]
    targets: list[Target] = []
    now = operation.clock.now()
    for message in found.messages:
        target = found.selection.target(message, now)
        if target is not None:
            targets.append(target)
        elif named:
            results.append((message.id, Effect(Result.LEFT, "none of its recipients is still to be delivered")))
    return targets, results


async def _apply(
    operation: Operation,
    site: Site,
    action: Retry | Cancel,
    targets: Sequence[Target],
    selection: Selection,
    results: Results,
    manner: Manner,
) -> int:
    trouble: TargetError | StoreError | None = None
    stopping = asyncio.Event()
    with (
        recording(site, selection=manner.described, audit=manner.audit) as journal,
        _stopped_by_signals(stopping),
        _bar() as progress,
    ):
        task = progress.add_task(action.name, total=len(targets))

        def report(target: Target, effect: Effect) -> None:
            results.append((target.message.id, effect))
            progress.advance(task)

        control = Control(operation.client, clock=operation.clock, journal=journal, stopping=stopping, report=report)
        try:
            await control.run(action, targets, selection)
        except (TargetError, StoreError) as error:
            trouble = error
    _print(action, results, manner)
    left = [target for target in targets if target.message.id not in {id_ for id_, _ in results}]
    return _finished(trouble, results, left=len(left), stopped=stopping.is_set())


def _finished(trouble: TargetError | StoreError | None, results: Results, *, left: int, stopped: bool) -> int:
    """Say how the command ended, and return its exit status."""
    done = [effect.result for _, effect in results]
    if left:
        complain(f"{counted(left, 'message was', 'messages were')} not touched")
    if trouble is not None:
        complain(str(trouble))
        touched = any(result not in (Result.REFUSED, Result.LEFT, Result.UNSAFE) for result in done)
        if isinstance(trouble, TargetForbidden):
            return exits.NOT_ALL_APPLIED if touched else exits.REFUSED
        return exits.UNUSABLE
    return exits.INTERRUPTED if stopped and left else exits.status_of(done)


def _print(action: Retry | Cancel, results: Results, manner: Manner) -> None:
    counts = Counter(effect.result.value for _, effect in results)
    if manner.as_json:
        shown = [{"id": id_, "result": effect.result.value, "detail": effect.detail} for id_, effect in results]
        print_json({"action": action.name, "dry_run": False, "results": shown, "counts": dict(counts)})
        return
    if not results:
        return
    told = (
        [pair for pair in results if pair[1].result is not Result.APPLIED] if len(results) > MOST_RESULTS else results
    )
    print_whole(result_table(told[:MOST_RESULTS]))
    if len(told) > MOST_RESULTS:
        console.print(f"and {number(len(told) - MOST_RESULTS)} more")
    console.print("\n" + ", ".join(f"{number(count)} {name.replace('_', ' ')}" for name, count in counts.items()))


def _print_dry_run(
    operation: Operation, action: Retry | Cancel, targets: Sequence[Target], results: Results, *, as_json: bool
) -> int:
    if as_json:
        matches = [message_json(target.message, scope(target)) for target in targets]
        missing = [{"id": id_, "detail": effect.detail} for id_, effect in results]
        print_json({"action": action.name, "dry_run": True, "messages": matches, "not_changed": missing})
        return exits.ALL_APPLIED
    for id_, effect in results:
        complain(f"{id_}: {effect.detail}")
    show_plan(operation, action, targets, out=console)
    console.print("Nothing was changed.")
    return exits.ALL_APPLIED


@contextmanager
def _stopped_by_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Set *stopping* at the first SIGINT or SIGTERM; the second ends the command at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        for number_ in signals:
            loop.remove_signal_handler(number_)
        complain("stopping: the effects of what was requested are still read")
        stopping.set()

    for number_ in signals:
        loop.add_signal_handler(number_, stop)
    try:
        yield
    finally:
        for number_ in signals:
            loop.remove_signal_handler(number_)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=problems, disable=not problems.is_terminal)
