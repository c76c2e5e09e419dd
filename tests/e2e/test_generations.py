"""The same story on both generations of the server gives one page of metrics, whatever it was read through."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from tests.e2e.generations import EDITIONS, JMAP, REST, STORY, golden, telling


def difference(one: list[str], other: list[str]) -> str:
    """What is on one page only; empty if they are equal."""
    return "\n".join(unified_diff(one, other, lineterm="", n=0))


@pytest.mark.parametrize("edition", EDITIONS)
def test_both_generations_show_one_page(tmp_path: Path, edition: str):
    """After each chapter the pages are equal, and in the end golden (`python -m tests.e2e.generations` writes that)."""
    with telling(tmp_path, edition) as told:
        for chapter in STORY:
            told.tell(chapter)
            pages = told.pages()
            assert difference(pages[REST], pages[JMAP]) == "", chapter.name

    assert len(pages[REST]) > 200
    assert difference(list(golden(edition)), pages[JMAP]) == ""
