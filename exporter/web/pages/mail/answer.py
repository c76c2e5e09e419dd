"""An answer to a question about mail as a page shows it: the sentences of ``why``, then the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from markupsafe import Markup

from exporter.answers.answer import MOST_MATCHES, Answer, DestinationEvidence, Kind, Match
from exporter.answers.events import entry_words, event_words
from exporter.answers.fate import Fate
from exporter.answers.standing import Standing
from exporter.answers.texts import reply
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
from exporter.model.delivery import Outcome
from exporter.model.trail import MessageTrail, RecipientState, TrailOutcome, TrailStep
from exporter.web.pages.base import path_to
from exporter.web.pictures.drawing import Kind as Colour
from exporter.web.pictures.timeline import Mark, timeline

MOST_ENTRIES = 200
"""The newest entries of a time line that are shown; the export has them all."""

MOST_RECIPIENTS = 200

FATE_COLOURS: Mapping[Fate, str] = {
    Fate.DELIVERED: "good",
    Fate.QUEUED: "wait",
    Fate.FAILED: "bad",
    Fate.REFUSED: "bad",
    Fate.UNKNOWN: "wait",
    Fate.NOT_FOUND: "off",
}
_STATE_COLOURS: Mapping[RecipientState, str] = {
    RecipientState.DELIVERED: "good",
    RecipientState.BOUNCED: "bad",
    RecipientState.EXPIRED: "bad",
    RecipientState.LOST: "bad",
    RecipientState.DEFERRED: "wait",
    RecipientState.QUEUED: "wait",
}
_OUTCOME_COLOURS: Mapping[Outcome, Colour] = {
    Outcome.DELIVERED: Colour.GOOD,
    Outcome.PERMANENT_FAILURE: Colour.BAD,
    Outcome.TEMPORARY_FAILURE: Colour.WAIT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """One recipient; *colour* is that of the badge."""

    address: str
    state: str
    colour: str
    since: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of a time line."""

    at: str
    what: str
    colour: str
    recipient: str
    host: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRow:
    """A message, with its *link*, or a refusal, without."""

    at: str
    link: Markup
    colour: str
    state: str
    sender: str
    recipients: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationCard:
    """What is known of a domain that mail goes to; the rows are time, words, host and text."""

    domain: str
    outcomes: Sequence[tuple[str, str, str, str]]
    events: Sequence[tuple[str, str, str, str]]
    tls_failures: Sequence[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """
    An answer.

    Attributes:
        word, colour: What became of the mail, as a badge.
        picture: The time line; empty without entries.
        entries_left_out: Older entries that are not shown.
        match_count: The number of matches in words.
    """

    word: str
    colour: str
    happened: str
    next: str
    todo: Sequence[str]
    notes: Sequence[str]
    facts: Sequence[tuple[str, str]]
    recipients: Sequence[RecipientRow]
    recipients_left_out: int
    picture: Markup
    picture_begin: str
    picture_end: str
    entries: Sequence[EntryRow]
    entries_left_out: int
    destinations: Sequence[DestinationCard]
    matches: Sequence[MatchRow]
    match_count: str
    is_message: bool


def view_of(answer: Answer) -> AnswerView:
    """Return an answer as the page shows it."""
    evidence = answer.message
    facts: list[tuple[str, str]] = []
    standings: Sequence[Standing] = ()
    timeline_: Sequence[TrailStep | TrailOutcome] = ()
    if evidence is not None:
        message, standings, timeline_ = evidence.trail.message, evidence.standings, evidence.trail.timeline
        facts = [("queue id", queue_id_words(message.queue_id)), ("server", message.server)]
        facts += [("in the queue now", presence(evidence)), *waiting_facts(standings), *message_facts(evidence.trail)]
    elif answer.refusal is not None:
        facts = list(refusal_facts(answer.refusal))
    picture, begin, end = _picture(evidence.trail) if evidence is not None else (Markup(""), "", "")
    return AnswerView(
        word=FATE_WORDS[answer.fate],
        colour=FATE_COLOURS[answer.fate],
        happened=answer.happened,
        next=answer.next,
        todo=answer.todo,
        notes=answer.notes,
        facts=facts,
        recipients=[_recipient(one) for one in standings[:MOST_RECIPIENTS]],
        recipients_left_out=max(0, len(standings) - MOST_RECIPIENTS),
        picture=picture,
        picture_begin=begin,
        picture_end=end,
        entries=[_entry(one) for one in timeline_[-MOST_ENTRIES:]],
        entries_left_out=max(0, len(timeline_) - MOST_ENTRIES),
        destinations=[_destination(one) for one in answer.destinations],
        matches=[match_row(one) for one in answer.others],
        match_count=_match_count(answer),
        is_message=evidence is not None,
    )


def match_row(one: Match) -> MatchRow:
    """Return a message or a refusal in one line."""
    more = len(one.recipients) - 1
    refused = one.fate is Fate.REFUSED
    return MatchRow(
        at=moment(one.at),
        link=Markup("") if one.queue_id is None else path_to("mail", one.server, str(one.queue_id)),
        colour=FATE_COLOURS[one.fate],
        state=f"refused: {one.summary}" if refused else one.summary or one.fate.value,
        sender=one.sender,
        recipients=f"{one.recipients[0]} and {more} more" if more > 0 else "".join(one.recipients),
        server=one.server,
    )


def _match_count(answer: Answer) -> str:
    there = answer.matches - 1 if answer.kind in (Kind.MESSAGE, Kind.REFUSAL) else answer.matches
    count = f"{number(there)} or more" if answer.matches >= MOST_MATCHES else number(there)
    return f"newest {len(answer.others)} of {count}"


def _recipient(one: Standing) -> RecipientRow:
    now = replace(one.recipient, state=one.state, text=one.text)
    return RecipientRow(
        address=now.address or "unknown",
        state=state_words(now),
        colour=_STATE_COLOURS.get(now.state, "off"),
        since=moment(now.at),
        said=last_reply(now),
    )


def _entry(one: TrailStep | TrailOutcome) -> EntryRow:
    colour = _OUTCOME_COLOURS[one.outcome] if isinstance(one, TrailOutcome) else Colour.OFF
    return EntryRow(
        at=moment(one.at),
        what=entry_words(one),
        colour=colour.value,
        recipient=one.recipient or one.domain,
        host=one.hostname,
        text=entry_text(one),
    )


def _picture(trail: MessageTrail) -> tuple[Markup, str, str]:
    """Return the time line as a picture, with the texts at its ends."""
    marks = list(_marks(trail))
    begin, end = marks[0].at, max(mark.at for mark in marks)
    if begin == end:
        return Markup(""), "", ""
    words = [mark.text for mark in marks if mark.kind is not Colour.OFF]
    text = f"From {moment(begin)} to {moment(end)}: {', '.join(words)}"
    return timeline(marks, begin=begin, end=end, text=text), moment(begin), moment(end)


def _marks(trail: MessageTrail) -> Iterator[Mark]:
    first: datetime = trail.message.seen_at
    yield Mark(at=first, text=f"{moment(first)} accepted", kind=Colour.PLAIN)
    for one in sorted(trail.timeline[-MOST_ENTRIES:], key=lambda entry: isinstance(entry, TrailOutcome)):
        colour = _OUTCOME_COLOURS[one.outcome] if isinstance(one, TrailOutcome) else Colour.OFF
        whom = one.recipient or one.domain
        yield Mark(at=max(first, one.at), text=f"{moment(one.at)} {entry_words(one)} {whom}".strip(), kind=colour)


def _destination(one: DestinationEvidence) -> DestinationCard:
    return DestinationCard(
        domain=one.domain,
        outcomes=[
            (moment(of.at), of.outcome.value.replace("_", " "), of.hostname, outcome_text(of)) for of in one.outcomes
        ],
        events=[(moment(of.at), event_words(of.event_id), of.hostname, reply(of.code, of.text)) for of in one.events],
        tls_failures=[(moment(of.ends_at), of.result, of.reporter, number(of.sessions)) for of in one.tls_failures],
    )
