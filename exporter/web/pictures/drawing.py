"""What all pictures have in common: the element around them, its text, and numbers as SVG writes them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from markupsafe import Markup, escape

from exporter.printable import printable, shortened

TEXT_LIMIT = 300


class Kind(StrEnum):
    """The meaning of a part of a picture; the style sheet has a colour for each."""

    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"
    OFF = "off"
    PLAIN = "plain"


def picture(shapes: Iterable[Markup], *, width: float, height: float, text: str, name: str) -> Markup:
    """
    Return shapes as a picture that stretches to the width of its surroundings.

    *text* is read by screen readers instead of the picture. *name* is its class, by which the style sheet sets the
    height.
    """
    return Markup(
        '<svg class="picture {name}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img"'
        ' aria-label="{text}" focusable="false">{shapes}</svg>'
    ).format(name=name, width=number(width), height=number(height), text=clean(text), shapes=Markup("").join(shapes))


def hint(text: str) -> Markup:
    """Return a text that a browser shows when the pointer rests on the shape around it."""
    return Markup("<title>{}</title>").format(clean(text))


def clean(text: str) -> Markup:
    """Return a text of any origin, escaped, shortened and without control characters."""
    return escape(printable(shortened(text, TEXT_LIMIT)))


def number(value: float) -> str:
    """Return a number with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
