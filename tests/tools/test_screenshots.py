"""The pictures of the documentation."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import ROOT
from tools.screenshots import DAY, IMAGES, MAX_BYTES

SHOWN = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<path>[^)]*)\)")
NAMES = [shot.name for moment in DAY for shot in moment.shots]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_picture_is_taken_shown_and_small():
    """None is left behind by a page that is gone, and a checkout stays small."""
    shown = {match["path"].rpartition("/")[2] for page in PAGES for match in SHOWN.finditer(page.read_text())}
    files = {file.name: file.stat().st_size for file in IMAGES.iterdir()}

    assert shown == files.keys() == {f"{name}.png" for name in NAMES}
    assert len(files) <= 12
    assert max(files.values()) <= MAX_BYTES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_picture_is_there_and_has_a_text_alternative(page):
    """Who cannot see it reads what it shows."""
    for match in SHOWN.finditer(page.read_text()):
        assert (page.parent / match["path"]).is_file()
        assert len(match["text"].split()) >= 5


def test_the_index_has_every_page():
    """A page that is not in the index is not found."""
    index = (ROOT / "docs" / "README.md").read_text()

    assert [page.name for page in PAGES[1:] if page.name != "README.md" and f"({page.name})" not in index] == []
