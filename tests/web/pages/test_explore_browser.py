"""The pages on mail, reports and domains in a real browser, on a history in which every text is an attack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attacks import attacked
from tests.support.browser import Browser, browsing
from tests.support.listener.site import Site, site
from tests.support.reports.history import now

PATHS = (
    "/mail",
    "/mail?what=x.test",
    "/mail?refused=1",
    "/mail/mx1/1",
    "/mail/mx1/2",
    "/mail/stuck",
    "/mail/senders",
    "/reports",
    "/reports?kind=arf",
    "/reports/domains/example.test",
    "/reports/dmarc/1",
    "/domains",
    "/domains/mx1/evil.test",
)
LOOKS = ((1280, False), (390, True))
"""Width and scheme; contrast does not depend on the width, nor the layout on the scheme."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium for all tests here."""
    with browsing(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages of an attacked history."""
    path: Path = tmp_path_factory.mktemp("attacked") / "h.sqlite3"
    attacked(path)
    with site(path, now=now()) as served:
        yield served


@pytest.mark.parametrize("path", PATHS)
def test_attacks_are_shown_as_text_in_every_look(browser: Browser, pages: Site, path: str):
    """axe-core finds nothing, nothing is wider than the window, the console is empty, and all is from one place."""
    with browser.tab() as tab:
        for width, dark in LOOKS:
            tab.open(f"{pages.url}{path}", width=width, dark=dark)

            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate("document.title").endswith(" - stalwart-exporter")
            assert tab.evaluate("document.scripts.length + document.images.length") == 0
            assert tab.violations() == []
        assert tab.console == []
        assert [address for address in tab.requests if not address.startswith((f"{pages.url}/", "data:"))] == []


def test_mail_is_found_by_keys_alone(browser: Browser, pages: Site):
    """What is typed into the field is looked for, and the address of the page says it."""
    with browser.tab() as tab:
        tab.open(f"{pages.url}/mail")
        tab.evaluate("document.querySelector('input[name=what]').focus()")
        tab.call("Input.insertText", text="x.test")
        tab.press("Enter", code=13)
        tab.wait_for("location.search === '?what=x.test' && document.readyState === 'complete'")

        assert tab.evaluate("document.querySelector('input[name=what]').value") == "x.test"
        assert tab.evaluate("document.querySelector('.verdict .badge').textContent") != ""
