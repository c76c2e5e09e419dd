"""Columns of stacked parts, for numbers per hour or day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from exporter.web.pictures.drawing import Kind, hint, picture, rectangle

HEIGHT = 60.0
COLUMN = 10.0
GAP = 2.0
LEAST = 1.0
"""The height of the smallest part that is not 0, so that one failure among thousands is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """
    One column.

    Attributes:
        text: Shown when the pointer rests on it: what and how much it is.
        parts: From the bottom up; a negative amount counts as 0.
        unknown: Whether nothing is known of this time; it is drawn as such, not as 0.
    """

    text: str
    parts: Sequence[tuple[Kind, float]] = ()
    unknown: bool = False


def bars(columns: Sequence[Column], *, text: str, top: float | None = None) -> Markup:
    """
    Return *columns* side by side, from left to right; the highest one fills the picture unless *top* is given.

    *text* says what is shown to those who do not see it.
    """
    scale = max(top or 0.0, max((_total(column) for column in columns), default=0.0)) or 1.0
    shapes = [_column(column, n * COLUMN, scale) for n, column in enumerate(columns)]
    width = max(1, len(columns)) * COLUMN
    return picture(shapes, width=width, height=HEIGHT, text=text, name="bars")


def share_bar(parts: Sequence[tuple[Kind, float]], *, text: str) -> Markup:
    """Return one lying bar that *parts* share, from left to right; an empty one if they are all 0."""
    total = sum(max(0.0, amount) for _, amount in parts)
    shapes, left = [rectangle("empty", 0.0, 0.0, 100.0, 4.0)], 0.0
    for kind, amount in parts:
        width = max(0.0, amount) / total * 100.0 if total else 0.0
        shapes.append(rectangle(kind.value, left, 0.0, width, 4.0))
        left += width
    return picture(shapes, width=100.0, height=4.0, text=text, name="share")


def _total(column: Column) -> float:
    return sum(max(0.0, amount) for _, amount in column.parts)


def _column(column: Column, left: float, scale: float) -> str:
    # The whole height reacts to the pointer: a low column is hard to hit.
    field = rectangle("unknown" if column.unknown else "field", left, 0.0, COLUMN, HEIGHT)
    return f"<g>{hint(column.text)}{field}{''.join(_parts(column, left, scale))}</g>"


def _parts(column: Column, left: float, scale: float) -> Iterator[str]:
    bottom = HEIGHT
    for kind, amount in column.parts:
        if amount <= 0:
            continue
        height = min(bottom, max(LEAST, amount / scale * HEIGHT))
        bottom -= height
        yield rectangle(kind.value, left + GAP / 2, bottom, COLUMN - GAP, height)
