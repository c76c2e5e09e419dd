"""
Pictures of the demo's pages in ``docs/images``: ``python -m tools.screenshots``, with Chromium installed.

Each is taken once the demo has said that a phase of its day has begun, and the page shows it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.browser import Browser, Tab, browsing
from tests.support.exporter import wait_until
from tools.png import with_palette

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
MAX_BYTES = 150_000
WINDOW = 300
"""Height of the window in pixels: a picture is as high as its page, if that is higher."""
DAY_GUARD_SECONDS = 900.0
"""No limit but a guard against waiting for ever; the day takes five minutes."""


@dataclass(frozen=True, slots=True)
class Shot:
    """
    One picture.

    Attributes:
        name: Of the file, without ending.
        path: Of the page.
        until: What the page must say; a regular expression.
        link: Then followed: the first link whose row of a table and URL match this regular expression.
        height: How much of the page is shown at most, in pixels.
    """

    name: str
    path: str
    until: str
    link: str = ""
    width: int = 1280
    height: int = 1100
    dark: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """What is taken once the demo has said `story`, in this order."""

    story: str
    shots: Sequence[Shot]


DAY: Sequence[Moment] = (
    # The pictures of the page then have some hours of the day.
    Moment("03:00", (Shot("overview-calm", "/", "All is well"),)),
    Moment(
        "07:00",
        (
            Shot("overview-failing", "/", r"ticket\s+demo: big-mailbox.test defers"),
            Shot("overview-phone", "/", "big-mailbox.test defers", width=390, height=1400),
        ),
    ),
    Moment("09:00", (Shot("overview-backlog", "/", r"urgent\s+demo: \d+ messages wait in the queue"),)),
    Moment("15:00", (Shot("overview-paused", "/", "deliveries are paused", dark=True),)),
    Moment("19:00", (Shot("overview-stolen", "/", "sent more than usual"),)),
    Moment(
        "20:00",
        (
            Shot("alerts", "/alerts", "StalwartUnusualSender", height=720),
            Shot("server", "/servers/demo", "Collectors", height=1400),
            Shot("mail", "/mail?what=campus.test", "bounced", height=900),
            Shot("message", "/mail?what=campus.test", "bounced", link=r"bounced.*/mail/demo/\d+$"),
            Shot("reports", "/reports", "Newest reports"),
            Shot("report-domain", "/reports/domains/example.test", "Sources"),
        ),
    ),
)


@contextmanager
def demo(output: Path) -> Iterator[str]:
    """Run the demo, which writes to *output*; yield its URL."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "demo", "--listen", "127.0.0.1:0", "--seed", "7"], stdout=file
        )
    try:
        url = wait_until(
            lambda: re.search(r"^(http://127\.0\.0\.1:\d+)/metrics", output.read_text(), re.MULTILINE),
            what="the demo serves",
        )
        assert isinstance(url, re.Match)
        yield url[1]
    finally:
        process.terminate()
        process.wait(60)


def take(tab: Tab, url: str, shot: Shot) -> bytes:
    """Return the picture of a page that says what it should."""

    def says() -> bool:
        tab.open(f"{url}{shot.path}", width=shot.width, dark=shot.dark, height=WINDOW)
        return re.search(shot.until, tab.evaluate("document.body.innerText"), re.DOTALL) is not None

    wait_until(says, what=f"{shot.path} says {shot.until}")
    if shot.link:
        links: list[str] = tab.evaluate(
            "Array.from(document.links, link => (link.closest('tr') || link).innerText + ' ' + link.href)"
        )
        target = next(link.split()[-1] for link in links if re.search(shot.link, link, re.DOTALL))
        tab.open(target, width=shot.width, dark=shot.dark, height=WINDOW)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        tab.screenshot(Path(file.name), most=shot.height)
        return with_palette(Path(file.name).read_bytes())


def main() -> int:
    """Take all pictures; 1 if one is too large for a repository."""
    IMAGES.mkdir(exist_ok=True)
    too_large = []
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "demo"
        with browsing(Path(folder) / "profile") as browser, demo(output) as url:
            for shot, picture in _day(browser, url, output):
                (IMAGES / f"{shot.name}.png").write_bytes(picture)
                print(f"{shot.name}.png: {len(picture) / 1000:.0f} kB", flush=True)
                if len(picture) > MAX_BYTES:
                    too_large.append(shot.name)
    for name in too_large:
        print(f"{name}.png is larger than {MAX_BYTES / 1000:.0f} kB: show less of the page", file=sys.stderr)
    return 1 if too_large else 0


def _day(browser: Browser, url: str, output: Path) -> Iterator[tuple[Shot, bytes]]:
    for moment in DAY:
        wait_until(
            lambda story=moment.story: f"\n{story}" in output.read_text(),  # type: ignore[misc]
            what=moment.story,
            seconds=DAY_GUARD_SECONDS,
        )
        for shot in moment.shots:
            with browser.tab() as tab:
                yield shot, take(tab, url, shot)


if __name__ == "__main__":
    sys.exit(main())
