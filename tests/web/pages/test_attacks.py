"""What strangers write in reports, log lines and DNS records stays text on every page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from exporter.printable import MARKS_IN_A_ROW
from tests.support.attacks import HOSTILE, attacked
from tests.support.listener.site import Site, site
from tests.support.listener.status import Page
from tests.support.reports.history import now

STARTS = ("/", "/mail", "/mail?refused=1", "/mail/stuck", "/mail/senders", "/reports?since=400d", "/domains")
OURS = ("/mail", "/reports", "/domains")
MOST_PAGES = 250

TAGS = frozenset(
    {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "main",
            "footer",
            "nav",
            "section",
            "div",
            "span",
        ),
        *("span", "h1", "h2", "h3", "p", "a", "ul", "li", "bdi", "time", "strong", "br", "pre", "code", "details"),
        *("summary", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "figure", "figcaption"),
        *("form", "label", "input", "select", "option", "button"),
        *("svg", "g", "rect", "path", "polygon", "polyline", "link"),
    }
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages of an attacked history."""
    path: Path = tmp_path_factory.mktemp("attacked") / "h.sqlite3"
    attacked(path)
    with site(path, now=now()) as served:
        yield served


def everywhere(pages: Site) -> Iterator[tuple[str, Page]]:
    """Every page that links lead to."""
    waiting, seen = list(STARTS), set(STARTS)
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.pop(0)
        if "export" in path:
            assert pages.client.get(path).status_code == 200
            continue
        page = pages.page(path)
        yield path, page
        found = [urljoin(f"{pages.url}{path}", link) for link in page.attributes("href")]
        paths = [f"{urlsplit(url).path}?{urlsplit(url).query}".removesuffix("?") for url in found]
        assert {urlsplit(url).netloc for url in found} <= {urlsplit(pages.url).netloc, ""}, path
        fresh = [one for one in dict.fromkeys(paths) if one not in seen and one.startswith(OURS)]
        fresh = [one for one in fresh if "refresh=" not in one]
        seen.update(fresh)
        waiting += fresh


def test_no_text_becomes_markup_a_link_elsewhere_or_a_turn_of_direction(pages: Site):
    """All pages that links lead to have our own elements only, and every character of them can be printed."""
    texts = []
    for path, page in everywhere(pages):
        assert {tag for tag, _ in page.tags} <= TAGS, path
        names = {name for _, found in page.tags for name in found}
        assert not [name for name in names if name.startswith("on") or name in ("style", "src", "srcdoc")], path
        shown = page.text + "".join(value or "" for _, found in page.tags for value in found.values())
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n"], path
        assert _marks_in_a_row(shown) <= MARKS_IN_A_ROW, path
        texts.append(page.text)

    whole = "\n".join(texts)
    assert len(texts) > 60
    assert whole.count("<script>alert(1)</script>") > 20
    for text in HOSTILE:
        kept = re.sub(r"\W+", "", text[:40], flags=re.ASCII)
        assert kept[:12] in re.sub(r"\W+", "", whole, flags=re.ASCII), text[:40]


def _marks_in_a_row(text: str) -> int:
    """The most combining marks on one letter, which reach over the lines above."""
    most = marks = 0
    for c in text:
        marks = marks + 1 if unicodedata.combining(c) else 0
        most = max(most, marks)
    return most


def test_a_long_record_can_be_pasted_whole(pages: Site):
    """Other texts are cut, but what should be in DNS is not."""
    text = pages.client.get("/domains/mx1/evil.test").text

    assert "&#34;&lt;script&gt;alert(1)&lt;/script&gt;&#34;" in text
    assert "IN TXT" in text
