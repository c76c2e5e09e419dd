"""Every page in a real browser: light and dark, narrow and wide, by keys alone, and without a look elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.store.reader import HistoryReader
from exporter.web.interfaces import Alignment, QueueFacts, RequestRow, StatusPage
from tests.support.browser import Browser, browsing
from tests.support.listener.app import application, serving
from tests.support.listener.scenes import NOW, pages, write_day
from tests.support.listener.status import HOSTILE, hostile_page
from tests.support.virtual_time import HandClock

SCENES = (
    ("one", "/"),
    ("eight", "/"),
    ("hostile", "/"),
    ("hostile", "/servers/mx1"),
    ("one", "/servers/mx1"),
    ("one", "/servers/unknown"),
    ("one", "/alerts"),
    ("one", "/alerts/StalwartQueuePaused"),
)

LOOKS = ((1280, False), (390, True))
"""Width and scheme; contrast does not depend on the width, nor the layout on the scheme."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium for all tests here."""
    with browsing(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with a day of eight servers."""
    path = tmp_path_factory.mktemp("history") / "history.sqlite3"
    asyncio.run(write_day(path, [f"mx{n}" for n in range(1, 9)], NOW))
    return path


@contextmanager
def served(page: StatusPage, history: Path) -> Iterator[str]:
    """Serve the pages over these facts, in a thread; yield their URL."""
    ready, over = threading.Event(), threading.Event()
    url: list[str] = []

    async def serve() -> None:
        app = application(page=page, history=HistoryReader(history), clock=HandClock(NOW))
        async with serving(app) as server:
            url.append(f"http://127.0.0.1:{server.port}")
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield url[0]
    finally:
        over.set()
        thread.join()


def hostile_fleet(path: str) -> StatusPage:
    """Facts of which every text is an attack, but for the name in the path of a server's page."""
    page = hostile_page()
    if path == "/":
        return page
    everything = " ".join(HOSTILE)
    server = replace(
        page.servers[0],
        name="mx1",
        queue=QueueFacts(running=True, messages=9, failing=9, deferring={everything: 9}, rejecting={everything: 3}),
        certificates={everything: NOW},
        alignment=[Alignment(domain=everything, aligned=1, failed=1)],
        requests=[RequestRow(endpoint=everything, statuses={everything: 1}, mean_seconds=0.1, response_bytes=1)],
        permissions=[everything],
        account=everything,
        log_problem=everything,
    )
    return replace(page, servers=[server])


@pytest.mark.parametrize(("width", "dark"), LOOKS)
@pytest.mark.parametrize(("scene", "path"), SCENES)
def test_a_page_is_readable_and_asks_for_nothing(browser, history, scene: str, path: str, width: int, dark: bool):
    """axe-core finds nothing, nothing is wider than the window, the console is empty, and all is from one place."""
    page = hostile_fleet(path) if scene == "hostile" else pages(NOW)[scene]
    with served(page, history) as url, browser.tab() as tab:
        tab.open(url + path, width=width, dark=dark)

        assert tab.violations() == []
        assert tab.evaluate("document.scripts.length + document.images.length") == 0
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(18, 21, 26)" if dark else "rgb(245, 246, 248)"
        )
        refused = "Failed to load resource: the server responded with a status of 404"
        assert [line for line in tab.console if not (path.endswith("unknown") and line.startswith(refused))] == []
        assert [address for address in tab.requests if not address.startswith((f"{url}/", "data:"))] == []


def test_everything_is_reached_by_keys(browser, history):
    """Tab visits each link and fold in order, with a visible outline; Enter opens a fold and follows a link."""
    with served(pages(NOW)["one"], history) as url, browser.tab() as tab:
        tab.open(url)
        wanted = tab.evaluate("document.querySelectorAll('a[href], summary').length")
        seen = []
        for _ in range(wanted):
            tab.press("Tab", code=9)
            seen.append(tab.evaluate("document.activeElement.textContent.trim()"))
            assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", seen[-1]
        assert seen[:2] == ["Skip to the content", "Overview"]
        assert seen.index("mx1") < seen.index("Collectors and live streams of mx1") < len(seen)

        tab.evaluate("document.querySelector('summary').focus()")
        tab.press("Enter", code=13)
        assert tab.evaluate("document.querySelector('details').open") is True

        tab.evaluate("document.querySelector('.server h2 a').focus()")
        tab.press("Enter", code=13)
        tab.wait_for("location.pathname === '/servers/mx1' && document.readyState === 'complete'")


def test_a_picture_says_what_it_shows(browser, history):
    """Each picture has a role and a name with its numbers, in the tree that screen readers use."""
    with served(pages(NOW)["one"], history) as url, browser.tab() as tab:
        tab.open(url)
        tree = tab.call("Accessibility.getFullAXTree")["nodes"]

    names = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") in ("img", "image")]
    assert any(name.startswith("Messages in the queue within 24 h: ") for name in names)
    assert any(name.startswith("Deliveries, 24 h: ") and "delivered" in name for name in names)
    assert any("of 1314 messages of example.net are aligned" in name for name in names)


def test_a_page_refreshes_itself_if_it_is_asked_to(browser, history):
    """The link at the bottom leads to the same page with a refresh, and from there back."""
    with served(pages(NOW)["one"], history) as url, browser.tab() as tab:
        tab.open(url)
        tab.evaluate("[...document.querySelectorAll('footer a')].find(a => a.textContent.includes('every')).click()")
        tab.wait_for("location.search === '?refresh=1' && document.readyState === 'complete'")

        assert tab.evaluate("document.querySelector('footer').textContent.includes('stop refreshing')")
        header = tab.evaluate("fetch('?refresh=1').catch(error => 'blocked')")
        assert header == "blocked", "the policy lets no script of the page fetch anything"
