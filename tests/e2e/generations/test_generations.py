"""The same story on both generations of the server gives one page of metrics, whatever it was read through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.support.worlds.story import EDITIONS, JMAP, REST, STORY, Telling, golden, telling

FINITE_BUCKET = re.compile(r'\w+_bucket\{.*le="[0-9.]+"\} .*')
OF_STREAMS = re.compile(r"stalwart_(delivery|message|session|dns|store)_\w+")


def difference(one: Sequence[str], other: Sequence[str]) -> str:
    """What is on one page only; empty if they are equal."""
    return "\n".join(unified_diff(one, other, lineterm="", n=0))


@pytest.mark.parametrize("edition", EDITIONS)
def test_both_generations_show_one_page(tmp_path: Path, edition: str):
    """After each chapter the pages are equal, and golden at the end (`tests.support.worlds.story` writes it)."""
    with telling(tmp_path, edition) as told:
        for chapter in STORY:
            told.tell(chapter)
            check_equal(told, chapter.name)
        pages = told.pages()

    assert len(pages[REST]) > 200
    assert difference(golden(edition), pages[JMAP]) == ""


def check_equal(told: Telling, chapter: str) -> None:
    """The pages come to be equal; a run that takes longer than its interval leaves reports for the next one."""

    def left() -> str:
        pages = told.pages()
        return difference(pages[REST], pages[JMAP])

    told.scenes[REST].wait(lambda: left() == "", lambda: f"{chapter}: {left()}")


def test_live_streams_show_the_golden_page_too(tmp_path: Path):
    """Through a restart that cuts them, to the last sample; only the buckets of histograms are nowhere in a stream."""
    wanted = [line for line in golden("enterprise") if not (FINITE_BUCKET.fullmatch(line) and OF_STREAMS.match(line))]
    with telling(tmp_path, "enterprise", streams="auto") as told:
        for scene in told.scenes.values():
            for stream in ("metrics", "traces"):
                scene.wait_for("stalwart_exporter_stream_connected", 1, stream=stream)
        for chapter in STORY:
            told.tell(chapter)

        for version in (REST, JMAP):
            check_followed(told, version, wanted)


def check_followed(told: Telling, version: str, wanted: Sequence[str]) -> None:
    """The page of a server comes to be *wanted*, and it was the streams that it was read from."""
    scene = told.scenes[version]

    def left() -> str:
        return difference(wanted, told.pages()[version])

    scene.wait(lambda: left() == "", left)
    assert scene.value("stalwart_exporter_metrics_source", source="live") == 1
    assert scene.value("stalwart_exporter_stream_reconnects_total", stream="traces") == 1
    assert (scene.value("stalwart_exporter_stream_events_total", stream="traces") or 0) > 1000
