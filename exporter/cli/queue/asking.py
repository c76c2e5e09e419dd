"""What is shown before a change, and the confirmation."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console

from exporter.cli.output import complain, problems
from exporter.cli.queue.connection import Operation
from exporter.cli.queue.text import domain_table, message_table, scope, sum_of
from exporter.history.texts import counted, number
from exporter.stalwart.operator.client import Target
from exporter.stalwart.operator.control import Cancel, Retry

MOST_SHOWN = 20


def show_plan(operation: Operation, action: Retry | Cancel, targets: Sequence[Target], *, out: Console) -> None:
    """Print the messages and their numbers, and what the change means for them."""
    matches = [(target.message, scope(target)) for target in targets]
    out.print(message_table(matches[:MOST_SHOWN], now=operation.clock.now()))
    if len(matches) > MOST_SHOWN:
        out.print(f"and {number(len(matches) - MOST_SHOWN)} more messages")
    out.print()
    out.print(domain_table(matches))
    out.print(f"\n{action.name}: {sum_of(matches)}")
    for line in (*_notes(action, targets), *_unsafe(operation, action, targets)):
        out.print(line)


def _notes(action: Retry | Cancel, targets: Sequence[Target]) -> Iterator[str]:
    if isinstance(action, Retry):
        if any(target.message.by_domain for target in targets):
            yield (
                "Up to Stalwart v0.12 a retry shortens the expiry: a message whose attempt is deferred again bounces. "
                "It concerns all recipients at the same domain."
            )
        return
    whole = [target for target in targets if target.addresses is None]
    if whole:
        yield f"{counted(len(whole), 'message')} will be removed; their senders get no bounce."
    if len(whole) < len(targets):
        yield (
            f"{counted(len(targets) - len(whole), 'message')} will stay for other recipients; their senders get a "
            "bounce for the recipients that are cancelled."
        )


def _unsafe(operation: Operation, action: Retry | Cancel, targets: Sequence[Target]) -> Iterator[str]:
    retry = isinstance(action, Retry)
    count = sum(bool(operation.client.bystanders(target, retry=retry)) for target in targets)
    if count:
        yield f"{counted(count, 'message')} will be left alone: the server would also change other recipients of it."


def confirmed(question: str, *, yes: bool) -> bool:
    """Return whether the operator agrees; without a terminal only *yes* counts."""
    if yes:
        return True
    if not problems.is_terminal:
        complain("not a terminal, so nothing is changed; use --yes to change without confirmation")
        return False
    with _interrupts_end_input():
        try:
            agreed = typer.confirm(question, err=True)
        except (typer.Abort, KeyboardInterrupt):
            agreed = False
    if not agreed:
        complain("nothing was changed")
    return agreed


@contextmanager
def _interrupts_end_input() -> Iterator[None]:
    """Let Ctrl-C end a prompt; the event loop's own handler would only take note of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
