"""An answer as text: the sentences first, then the evidence in tables. Every text in it may be hostile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.table import Table
from rich.text import Text

from exporter.answers.answer import MOST_MATCHES, Answer, DestinationEvidence, Kind, Match, MessageEvidence
from exporter.answers.events import entry_words, event_words
from exporter.answers.fate import Fate
from exporter.answers.standing import Standing
from exporter.answers.texts import reply
from exporter.cli.history.text import cell, facts, table
from exporter.cli.output import console
from exporter.history.message_facts import (
    FATE_WORDS,
    entry_text,
    last_reply,
    message_facts,
    outcome_text,
    presence,
    queue_id_words,
    refusal_facts,
    state_words,
    waiting_facts,
)
from exporter.history.texts import moment, number
from exporter.model.trail import (
    MessageTrail,
    Refusal,
    TrailRecipient,
)
from exporter.printable import harmless

SENTENCE_LENGTH = 2000
MOST_ENTRIES = 40
"""The newest entries of a timeline that are shown; `trail show` has them all."""

MOST_RECIPIENTS = 20

_STYLES = {
    Fate.DELIVERED: "bold green",
    Fate.QUEUED: "bold yellow",
    Fate.FAILED: "bold red",
    Fate.REFUSED: "bold red",
    Fate.UNKNOWN: "bold yellow",
    Fate.NOT_FOUND: "bold",
}


def show_answer(answer: Answer, *, limit: int) -> None:
    """Print an answer with at most *limit* other matches."""
    console.print(Text.assemble((FATE_WORDS[answer.fate], _STYLES[answer.fate]), ". ", _sentence(answer.happened)))
    if answer.next:
        console.print(Text.assemble(("Next: ", "bold"), _sentence(answer.next)))
    for line in answer.todo:
        console.print(Text.assemble(("Do: ", "bold"), _sentence(line)))
    if answer.message is not None:
        _show_message(answer.message)
    if answer.refusal is not None:
        show_refusal(answer.refusal)
    for destination in answer.destinations:
        _show_destination(destination, answer.message)
    if answer.others:
        _show_others(answer, limit=limit)
    if answer.notes:
        console.print()
    for note in answer.notes:
        console.print(_sentence(note))


def _sentence(text: str) -> Text:
    return Text(harmless(text, SENTENCE_LENGTH))


def _heading(text: str) -> None:
    console.print()
    console.print(Text(harmless(text), style="bold underline"))


def _show_message(evidence: MessageEvidence) -> None:
    message = evidence.trail.message
    _heading("Message")
    made = facts()
    made.add_row("queue id", cell(queue_id_words(message.queue_id)))
    made.add_row("server", cell(message.server))
    made.add_row("in the queue now", cell(presence(evidence)))
    for name, value in waiting_facts(evidence.standings):
        made.add_row(name, cell(value))
    show_message_facts(made, evidence.trail)
    console.print(made)
    _heading(f"Recipients ({len(evidence.standings)})")
    console.print(recipient_table([_now(one) for one in evidence.standings]))
    show_timeline(evidence.trail, most=MOST_ENTRIES)


def show_message_facts(made: Table, trail: MessageTrail) -> None:
    """Add what is known of a message, besides its recipients, to a table of facts."""
    for name, value in message_facts(trail):
        made.add_row(name, cell(value))


def _now(one: Standing) -> TrailRecipient:
    return replace(one.recipient, state=one.state, text=one.text)


def recipient_table(recipients: Sequence[TrailRecipient]) -> Table:
    """Return a table of recipients, a line each; of many, the first."""
    made = table("recipient", "=state", "=since", "last reply")
    for one in recipients[:MOST_RECIPIENTS]:
        made.add_row(cell(one.address or "unknown"), state_words(one), moment(one.at), cell(last_reply(one)))
    if len(recipients) > MOST_RECIPIENTS:
        made.add_row(cell(f"and {number(len(recipients) - MOST_RECIPIENTS)} more"))
    return made


def show_timeline(trail: MessageTrail, *, most: int | None = None) -> None:
    """Print what happened to a message, oldest first; of a long history the newest *most* entries."""
    entries = trail.timeline if most is None or len(trail.timeline) <= most else trail.timeline[-most:]
    if not entries:
        return
    _heading("Time line")
    made = table("=time", "=what", "recipient", "host", "reply")
    if entries is trail.timeline and trail.message.accepted_at is not None:
        made.add_row(moment(trail.message.accepted_at), "accepted", "", cell(trail.message.remote_ip), "")
    for one in entries:
        made.add_row(
            moment(one.at),
            cell(entry_words(one)),
            cell(one.recipient or one.domain),
            cell(one.hostname),
            cell(entry_text(one)),
        )
    console.print(made)
    if len(entries) < len(trail.timeline):
        console.print(f"{number(len(trail.timeline) - len(entries))} older entries are left out.")


def show_refusal(refusal: Refusal) -> None:
    """Print what is known of a refusal."""
    _heading("Refusal")
    made = facts()
    for name, value in refusal_facts(refusal):
        made.add_row(name, cell(value))
    console.print(made)


def _show_destination(destination: DestinationEvidence, about: MessageEvidence | None) -> None:
    _heading(f"Destination {destination.domain}")
    own = about.trail.message.queue_id if about is not None else None
    if destination.outcomes:
        made = table("=last outcomes", "=result", "host", "reply", "=message")
        for one in destination.outcomes:
            message = "this one" if one.queue_id == own else str(one.queue_id or "")
            made.add_row(
                moment(one.at),
                one.outcome.value.replace("_", " "),
                cell(one.hostname),
                cell(outcome_text(one)),
                message,
            )
        console.print(made)
    if destination.events:
        console.print()
        made = table("=DNS, TLS, connection", "what", "host", "detail")
        for event in destination.events:
            made.add_row(
                moment(event.at),
                cell(event_words(event.event_id)),
                cell(event.hostname),
                cell(reply(event.code, event.text)),
            )
        console.print(made)
    if destination.tls_failures:
        console.print()
        made = table("=TLS reports", "#sessions", "=until", "reporter")
        for failure in destination.tls_failures:
            made.add_row(
                cell(failure.result), number(failure.sessions), moment(failure.ends_at), cell(failure.reporter)
            )
        console.print(made)
    if not (destination.outcomes or destination.events or destination.tls_failures):
        console.print("Nothing else is known of it.")


def _show_others(answer: Answer, *, limit: int) -> None:
    shown = answer.others[:limit]
    alone = answer.kind in (Kind.MESSAGE, Kind.REFUSAL)
    there = answer.matches - 1 if alone else answer.matches
    count = f"{number(there)} or more" if answer.matches >= MOST_MATCHES else number(there)
    _heading(f"{'Other matches' if alone else 'Matches'} (newest {len(shown)} of {count})")
    console.print(match_table(shown))
    console.print("To narrow: give a queue id, --since or --server; `stalwart-exporter trail list` shows them all.")


def match_table(matches: Sequence[Match]) -> Table:
    """Return a table of messages and refusals, a line each."""
    several = len({one.server for one in matches}) > 1
    made = table("=time", "=queue id", "state", "sender", "recipients", *(["server"] if several else []))
    for one in matches:
        more = len(one.recipients) - 1
        recipients = f"{one.recipients[0]} and {more} more" if more > 0 else "".join(one.recipients)
        made.add_row(
            moment(one.at),
            str(one.queue_id or ""),
            cell(f"refused: {one.summary}" if one.fate is Fate.REFUSED else one.summary),
            cell(one.sender),
            cell(recipients),
            *([cell(one.server)] if several else []),
        )
    return made
