"""A line of time with marks, for what happened when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from exporter.web.pictures.drawing import Kind, hint, picture, rectangle

WIDTH, HEIGHT = 600.0, 24.0
MARK = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened; *text* is shown when the pointer rests on it."""

    at: datetime
    text: str
    kind: Kind = Kind.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time during which something held; it is drawn as a band behind the marks."""

    begin: datetime
    end: datetime
    text: str
    kind: Kind = Kind.PLAIN


def timeline(marks: Sequence[Mark], *, begin: datetime, end: datetime, text: str, spans: Sequence[Span] = ()) -> Markup:
    """
    Return marks and spans between *begin* and *end*; what lies outside stands at the edge.

    *text* says what is shown to those who do not see it.
    """
    whole = (end - begin).total_seconds() or 1.0

    def place(at: datetime) -> float:
        return min(1.0, max(0.0, (at - begin).total_seconds() / whole)) * WIDTH

    shapes = [rectangle("field", 0.0, 0.0, WIDTH, HEIGHT)]
    shapes.append(rectangle("axis", 0.0, HEIGHT / 2, WIDTH, 1.0))
    shapes += [_band(place(s.begin), place(s.end), s) for s in spans]
    shapes += [_mark(min(place(mark.at), WIDTH - MARK), mark) for mark in marks]
    return picture(shapes, width=WIDTH, height=HEIGHT, text=text, name="timeline")


def _band(left: float, right: float, span: Span) -> str:
    return rectangle(span.kind.value, left, 8.0, max(1.0, right - left), 8.0, content=hint(span.text))


def _mark(left: float, mark: Mark) -> str:
    return rectangle(mark.kind.value, left, 2.0, MARK, 20.0, content=hint(mark.text))
