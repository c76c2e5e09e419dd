"""What all pictures have in common: the element around them, its text, and numbers as SVG writes them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from markupsafe import Markup, escape

from exporter.printable import harmless

TEXT_LIMIT = 300


class Kind(StrEnum):
    """The meaning of a part of a picture; the style sheet has a colour for each."""

    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"
    OFF = "off"
    PLAIN = "plain"


def picture(shapes: Iterable[str], *, width: float, height: float, text: str, name: str) -> Markup:
    """
    Return shapes as a picture that stretches to the width of its surroundings.

    *shapes* are markup, without a text of any other origin that `clean` has not seen. *text* is read by screen readers
    instead of the picture. *name* is its class, by which the style sheet sets the height.
    """
    opening = (
        f'<svg class="picture {name}" viewBox="0 0 {number(width)} {number(height)}" preserveAspectRatio="none"'
        f' role="img" aria-label="{clean(text)}" focusable="false">'
    )
    return Markup("".join((opening, *shapes, "</svg>")))  # noqa: S704 - numbers, our own names, and clean texts


def hint(text: str) -> str:
    """Return a text that a browser shows when the pointer rests on the shape around it."""
    return f"<title>{clean(text)}</title>"


def clean(text: str) -> str:
    """Return a text of any origin, escaped, shortened and without control characters."""
    return str(escape(harmless(text, TEXT_LIMIT)))


def rectangle(name: str, x: float, y: float, width: float, height: float, *, content: str = "") -> str:
    """Return a rectangle of a class, with *content* in it, such as a hint."""
    place = f'class="{name}" x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f"<rect {place}>{content}</rect>" if content else f"<rect {place}/>"


def number(value: float) -> str:
    """Return a number with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
