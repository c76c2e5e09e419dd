"""Numbers of a server, each with what it was in the last hours as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from exporter.web.interfaces import QueueFacts, ServerStatus
from exporter.web.pages.servers.series import DAY_STEPS, HOUR_STEPS, Increases, Period, Series
from exporter.web.pictures.bars import Column, bars
from exporter.web.pictures.drawing import Kind
from exporter.web.pictures.sparkline import sparkline
from exporter.web.verdict.deliveries import SEEN_BY, sees_deliveries
from exporter.web.words import count, duration, grouped

UNKNOWN = "unknown"
NO_PICTURE = Markup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """
    The time that pictures show.

    Attributes:
        number: Columns.
        every: Steps per column.
    """

    number: int
    every: int

    def words(self, series: Series) -> str:
        """Return its length in words."""
        return length_words(self.number * self.every * series.step_seconds)

    def column_words(self, series: Series) -> str:
        """Return the length of a column in words."""
        return length_words(self.every * series.step_seconds)


def length_words(seconds: int) -> str:
    """Return a length of time: ``24 h``, ``8 days``, ``12 min``."""
    if seconds < 3600:
        return duration(seconds) if seconds < 60 else f"{round(seconds / 60)} min"
    return count(seconds // 86_400, "day") if seconds >= 2 * 86_400 else f"{seconds // 3600} h"


DAY = Span(number=24, every=HOUR_STEPS)
WEEK = Span(number=8, every=DAY_STEPS)


class Note(NamedTuple):
    """
    What else belongs to a number.

    Attributes:
        tone: ``bad`` or ``wait`` if it needs a look, otherwise empty.
        mark: The kind of the part of the picture that it is about, or empty.
    """

    words: str
    tone: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """
    One number.

    Attributes:
        title: What it is, and of which time.
        value: In large letters; `UNKNOWN` if it is not known.
        unit: After the value.
        notes: The first explains the value.
        picture: Empty without a history.
        begin, end: The ends of the picture's time in words.
    """

    title: str
    value: str
    unit: str = ""
    notes: Sequence[Note] = ()
    picture: Markup = NO_PICTURE
    begin: str = ""
    end: str = "now"

    @property
    def is_word(self) -> bool:
        """Whether the value is a word instead of a number."""
        return self.value[:1].isalpha()


def queue_tile(server: ServerStatus, series: Series, span: Span = DAY, *, oldest_seconds: float | None) -> Tile:
    """Return the tile of the queue."""
    queue = server.queue
    per_point = max(1, span.every * span.number // DAY_STEPS)
    values = series.gauge(lambda step: step.messages, number=span.number * span.every // per_point, every=per_point)
    known = [value for value in values if value is not None]
    text = f"Messages in the queue within {span.words(series)}: " + (
        f"{known[-1]} at the end, {max(known)} at most" if known else UNKNOWN
    )
    return Tile(
        title=f"Queue now, and for {span.words(series)}",
        value=UNKNOWN if queue is None else grouped(queue.messages),
        unit="" if queue is None else count(queue.messages, "message").partition(" ")[2],
        notes=() if queue is None else _queue_notes(queue, oldest_seconds, max(known, default=0)),
        picture=sparkline(values, text=text) if known else NO_PICTURE,
        begin=f"{span.words(series)} ago",
    )


def _queue_notes(queue: QueueFacts, oldest_seconds: float | None, most: int) -> Sequence[Note]:
    notes = []
    if queue.running is False:
        notes.append(Note("deliveries are paused", "bad"))
    if oldest_seconds is not None:
        notes.append(Note(f"oldest {duration(oldest_seconds)}"))
    if queue.overdue:
        notes.append(Note(f"{count(queue.overdue, 'recipient')} overdue", "wait"))
    if queue.failing:
        notes.append(Note(f"{count(queue.failing, 'recipient')} failing"))
    if most:
        notes.append(Note(f"peak {grouped(max(most, queue.messages))}"))
    if queue.truncated:
        notes.append(Note("only a part of the queue was read", "wait"))
    return notes


OUTCOMES: Sequence[tuple[Kind, str]] = (
    (Kind.GOOD, "delivered"),
    (Kind.WAIT, "deferred"),
    (Kind.BAD, "failed for good"),
)


def delivery_tile(server: ServerStatus, series: Series, span: Span = DAY) -> Tile:
    """Return the tile of deliveries by outcome."""
    title = f"Deliveries, {span.words(series)}"
    if server.capabilities and not sees_deliveries(server):
        return Tile(title=title, value="not visible", notes=[Note(_why_not_visible(server))])
    found = series.increases(
        [lambda step: step.delivered, lambda step: step.temporary_failures, lambda step: step.permanent_failures],
        number=span.number,
        every=span.every,
    )
    return _bar_tile(title, found.sums[0], "delivered", found, OUTCOMES, series, span)


def _why_not_visible(server: ServerStatus) -> str:
    words = [c.words for c in server.capabilities if c.name in SEEN_BY and c.words]
    return words[0] if words else "neither the log nor traces can be read"


REFUSED: Sequence[tuple[Kind, str]] = (
    (Kind.WAIT, "stored as spam"),
    (Kind.PLAIN, "refused as spam"),
    (Kind.OFF, "refused for other reasons"),
)


def spam_tile(series: Series, span: Span = DAY) -> Tile:
    """Return the tile of spam and refused mail."""
    stored = series.increases([lambda step: step.spam], number=span.number, every=span.every)
    refused = series.counts(
        [lambda step: step.refused_spam, lambda step: step.refused_others], number=span.number, every=span.every
    )
    periods = [
        Period(a.begin, a.end, a.values + b.values) for a, b in zip(stored.periods, refused.periods, strict=True)
    ]
    found = Increases(periods, [*stored.sums, *refused.sums])
    known = [total for total in found.sums if total is not None]
    whole = sum(known) if known else None
    return _bar_tile(f"Spam and refusals, {span.words(series)}", whole, "", found, REFUSED, series, span)


LOGINS: Sequence[tuple[Kind, str]] = ((Kind.BAD, "failed"),)


def login_tile(series: Series, span: Span = DAY) -> Tile:
    """Return the tile of failed logins: by the server's own counter, otherwise as the trail has them."""
    found = series.increases([lambda step: step.logins_failed], number=span.number, every=span.every)
    if not any(period.is_known for period in found.periods):
        found = series.counts([lambda step: step.refused_logins], number=span.number, every=span.every)
    return _bar_tile(f"Failed logins, {span.words(series)}", found.sums[0], "", found, LOGINS, series, span)


def _bar_tile(
    title: str,
    value: int | None,
    unit: str,
    found: Increases,
    parts: Sequence[tuple[Kind, str]],
    series: Series,
    span: Span,
) -> Tile:
    if value is None:
        return Tile(title=title, value=UNKNOWN, notes=[Note(_why_unknown(series))])
    return Tile(
        title=title,
        value=grouped(value),
        unit=unit,
        notes=[
            Note(f"{grouped(n)} {name}", mark=kind.value)
            for (kind, name), n in zip(parts, found.sums, strict=True)
            if n is not None and len(parts) > 1
        ],
        picture=period_bars(found.periods, parts, text=_in_words(title, found, parts, span.column_words(series))),
        begin=f"{span.words(series)} ago",
    )


def _why_unknown(series: Series) -> str:
    """Return why there is no number."""
    if len(series.steps) < 2:
        return f"known after {duration(2 * series.step_seconds)} of watching"
    return "the server does not report it"


def period_bars(periods: Sequence[Period], parts: Sequence[tuple[Kind, str]], *, text: str) -> Markup:
    """Return columns of *periods*, with each value as a part of that kind and name."""
    return bars([_column(period, parts, _clock(periods)) for period in periods], text=text)


def _clock(periods: Sequence[Period]) -> Callable[[Period], str]:
    """Return how the times of *periods* are written: with the date if they are longer than a few hours."""
    whole = (periods[-1].end - periods[0].begin).total_seconds() if periods else 0.0
    form = "%d %b %H:%M" if whole > 36 * 3600 else "%H:%M" if whole > 3600 else "%H:%M:%S"
    return lambda period: f"{period.begin.strftime(form)} to {period.end.strftime(form)} UTC"


def _column(period: Period, parts: Sequence[tuple[Kind, str]], clock: Callable[[Period], str]) -> Column:
    if not period.is_known:
        return Column(text=f"{clock(period)}: {UNKNOWN}", unknown=True)
    amounts = [
        (kind, name, value) for (kind, name), value in zip(parts, period.values, strict=True) if value is not None
    ]
    words = ", ".join(f"{grouped(value)} {name}" for _, name, value in amounts)
    return Column(text=f"{clock(period)}: {words}", parts=[(kind, float(value)) for kind, _, value in amounts])


def _in_words(title: str, found: Increases, parts: Sequence[tuple[Kind, str]], column: str) -> str:
    """Return what the picture shows, for those who do not see it."""
    totals = [f"{n} {name}" for (_, name), n in zip(parts, found.sums, strict=True) if n is not None]
    largest = max((period for period in found.periods if period.is_known), key=_size, default=None)
    most = f"; most within {column}: {_size(largest)}, {_clock(found.periods)(largest)}" if largest else ""
    return f"{title}: {', '.join(totals)}{most}"


def _size(period: Period) -> int:
    return sum(value for value in period.values if value is not None)
