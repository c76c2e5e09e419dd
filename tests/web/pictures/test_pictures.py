"""Pictures are well-formed, stay in their frame, have a text, and take no markup from their values."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from exporter.web.pictures.bars import HEIGHT, Column, bars, share_bar
from exporter.web.pictures.drawing import Kind
from exporter.web.pictures.sparkline import sparkline
from exporter.web.pictures.timeline import Mark, Span, timeline
from tests.support.listener.status import HOSTILE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AMOUNTS = st.floats(min_value=0, max_value=1e12, allow_nan=False)


def parsed(picture: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(picture))  # noqa: S314 - our own markup


def coordinates(picture: Markup) -> list[float]:
    """Every number in the points of its lines."""
    lines = parsed(picture).iter("polyline")
    return [float(text) for line in lines for pair in line.attrib["points"].split() for text in pair.split(",")]


@given(st.lists(st.none() | AMOUNTS, max_size=40))
def test_a_line_stays_in_its_frame(values: list[float | None]):
    """Whatever the values are, each known one is drawn, at a finite place inside."""
    drawn = coordinates(sparkline(values, text="queue"))

    assert all(math.isfinite(place) and 0 <= place <= 241 for place in drawn)
    assert bool(drawn) == any(value is not None for value in values)


def test_a_gap_divides_the_line():
    """What is not known is not drawn through."""
    assert len(list(parsed(sparkline([1, 2, None, 3, 4], text="queue")).iter("polyline"))) == 2


@given(st.lists(st.lists(AMOUNTS, max_size=3), max_size=30))
def test_columns_stay_in_their_frame(amounts: list[list[float]]):
    """No part is higher than the picture or below it, and no part that is not 0 is invisible."""
    columns = [Column(text="hour", parts=[(Kind.GOOD, amount) for amount in parts]) for parts in amounts]

    parts = [r.attrib for r in parsed(bars(columns, text="deliveries")).iter("rect") if r.attrib["class"] == "good"]

    assert len(parts) == sum(amount > 0 for column in amounts for amount in column)
    assert all(float(part["y"]) >= 0 and float(part["y"]) + float(part["height"]) <= HEIGHT + 0.02 for part in parts)


def test_an_unknown_hour_does_not_look_like_an_idle_one():
    """A column of which nothing is known has a mark of its own."""
    picture = bars([Column(text="idle"), Column(text="unknown", unknown=True)], text="deliveries")

    assert [rect.attrib["class"] for rect in parsed(picture).iter("rect")] == ["field", "unknown"]


def test_a_share_of_nothing_is_empty():
    """Without amounts there is a bar to see, and no part."""
    picture = parsed(share_bar([(Kind.GOOD, 0)], text="alignment"))

    assert [rect.attrib.get("width") for rect in picture.iter("rect")] == ["100", "0"]


def test_marks_outside_of_the_time_stand_at_its_edges():
    """What began before or ends later is cut, not lost."""
    marks = [Mark(at=NOW - timedelta(days=9), text="early"), Mark(at=NOW + timedelta(days=9), text="late")]
    picture = timeline(marks, begin=NOW, end=NOW + timedelta(hours=1), text="trail")

    assert [rect.attrib.get("x") for rect in parsed(picture).iter("rect") if rect.attrib["class"] == "plain"] == [
        "0",
        "596",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str):
    """A picture has only its own elements, whatever its texts say, and nothing unprintable."""
    pictures = [
        sparkline([1, 2], text=text),
        bars([Column(text=text, parts=[(Kind.BAD, 1)])], text=text),
        share_bar([(Kind.GOOD, 1)], text=text),
        timeline(
            [Mark(at=NOW, text=text)],
            begin=NOW,
            end=NOW + timedelta(hours=1),
            text=text,
            spans=[Span(begin=NOW, end=NOW, text=text)],
        ),
    ]

    for picture in pictures:
        assert {element.tag for element in parsed(picture).iter()} <= {
            "svg",
            "g",
            "rect",
            "title",
            "polyline",
            "polygon",
        }
        assert str(picture).isprintable()
        assert parsed(picture).attrib["role"] == "img"
