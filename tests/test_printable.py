"""Hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.printable import MARKS_IN_A_ROW, REPLACEMENT, harmless, printable, shortened


def test_what_cannot_be_seen_shows_as_a_replacement():
    """Terminal sequences, line ends and direction marks lose their effect; the rest stays as it is."""
    assert (
        printable("a\x1b[31mb\r\nc\u202ed\u00a0e")
        == f"a{REPLACEMENT}[31mb{REPLACEMENT * 2}c{REPLACEMENT}d{REPLACEMENT}e"
    )
    assert printable("a\tb", " ") == "a b"


@given(st.text())
def test_every_text_is_printable_in_as_many_characters(text: str):
    """Nothing that cannot be printed is left, and nothing is added."""
    made = printable(text)

    assert made.isprintable()
    assert len(made) == len(text)
    assert printable(made) == made


@given(st.text(), st.integers(1, 20))
def test_a_text_is_shortened_only_if_it_is_too_long(text: str, length: int):
    """What fits is whole; what does not is cut to the length, the ellipsis included."""
    made = shortened(text, length)

    assert len(made) == min(len(text), length)
    assert made == text or (made.endswith("…") and text.startswith(made[:-1]))


@pytest.mark.parametrize("mark", ["\N{COMBINING ACUTE ACCENT}", "\N{COMBINING ENCLOSING CIRCLE}", "\u0489"])
def test_marks_do_not_pile_up(mark: str):
    """Whether they stand above a letter or around it; the text behind them is kept."""
    assert harmless(f"a{mark * 50}b") == f"a{mark * MARKS_IN_A_ROW}b"
