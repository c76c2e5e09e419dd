"""The status page: its words, and what a browser makes of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from exporter.app.status import LINKS
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from exporter.web.interfaces import (
    CapabilityStatus,
    CollectorState,
    Link,
    StatusPage,
    StoreStatus,
    StreamStatus,
)
from exporter.web.pages.status import TEXT_LIMIT, StatusRenderer, harmless, is_web_address
from exporter.web.verdict.judge import PROBLEMS_SHOWN, judge
from exporter.web.words import ago, duration, size
from tests.support.web import NOW, Run, application, collector, server_status, serving, status_page

HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=1">',
    "'onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "</style><style>body{display:none}",
    "\u202egpj.exe\u2066\u200f",
    "\x1b[31mred\x1b]0;title\x07",
    "\ud800 lone surrogate",
    "null\0byte\r\nSet-Cookie: a=b",
    "&lt;b&gt; &amp;",
)


@dataclass
class Page:
    """What a parser finds in a page."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def attributes(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [value or "" for _, found in self.tags for key, value in found.items() if key == name]


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._page.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self._page.text += data


def read(html: str) -> Page:
    page = Page()
    _Reader(page).feed(html)
    page.text = " ".join(page.text.split())
    return page


def rendered(page: StatusPage) -> Page:
    return read(StatusRenderer().render(page, now=NOW).decode())


def hostile_page() -> StatusPage:
    """A page in which everything that can hold a text holds each hostile one."""
    everything = " ".join(HOSTILE)
    server = server_status(
        name=everything,
        url=everything,
        generation=everything,
        edition=everything,
        version=everything,
        note=everything,
        capabilities=[CapabilityStatus(name=text, status=text, words=text) for text in HOSTILE],
        collectors=[collector(text, state=CollectorState.FAILING, error=text) for text in HOSTILE],
        streams=[StreamStatus(name=t, connected=False, transport=t, last_event_at=None) for t in HOSTILE],
    )
    return status_page(
        server,
        version=everything,
        store=StoreStatus(path=everything, size_bytes=0, ok=False, error=everything),
        links=[Link(text=text, url=url) for text in HOSTILE for url in (text, "javascript:alert(1)")],
    )


def test_a_page_where_all_is_well_says_so():
    """The verdict comes first, and each server, collector, stream and capability is named with its state."""
    page = rendered(status_page(links=LINKS))

    assert page.text.startswith("All is well")
    assert "1 of 1 server up" in page.text
    assert "Runbook" not in page.text
    assert re.search(r"mx1 up https://mx1\.example\.org Stalwart 0\.15\.5, enterprise edition, rest API", page.text)
    assert "queue every 30 s ok 12 s ago" in page.text
    assert "metrics sse connected 0 s ago" in page.text
    assert "queue available" in page.text
    assert "History ok /var/lib/history.sqlite3, 5.1 MiB" in page.text
    assert {"metrics", "-/healthy", "-/ready"} == set(page.attributes("href"))


def test_a_page_with_trouble_says_what_since_when_and_what_to_do():
    """What is down comes before what fails, each with its last good moment, then the next step."""
    failing = collector(
        "reports",
        state=CollectorState.FAILING,
        last_success_at=NOW - timedelta(minutes=42),
        error="the server refused our credentials",
    )
    page = rendered(
        status_page(
            server_status(name="mx1", collectors=[collector(), failing]),
            server_status(
                name="mx2",
                up=False,
                collectors=[
                    collector(
                        state=CollectorState.FAILING,
                        last_success_at=NOW - timedelta(hours=2),
                        error="connection refused",
                    )
                ],
            ),
            store=StoreStatus(path="/h", size_bytes=0, ok=False, error="disk full"),
        )
    )

    assert "stalwart-exporter mx2 is down: connection refused. Check that its process runs" in page.text
    assert "1 of 2 servers up, 3 problems" in page.text
    assert re.search(
        r"mx2: is down: connection refused .*\(last good 2 h ago\).* Runbook: StalwartServerDown"
        r".* history: disk full.* Runbook: StalwartExporterStoreErrors"
        r".* mx1: reports fails: the server refused our credentials .*\(last good 42 min ago\).*"
        r" Run `stalwart-exporter doctor`. Runbook: StalwartCollectorStale",
        page.text,
    )


def test_a_stream_that_is_cut_is_a_problem_unless_its_server_is_down():
    """A live stream without a connection is told; on a server that is down it goes without saying."""
    cut = [StreamStatus(name="traces", connected=False, transport="sse", last_event_at=None)]

    verdict = judge(
        status_page(server_status(name="a", streams=cut), server_status(name="b", up=False, streams=cut)), now=NOW
    )

    told = [(problem.where, problem.what) for problem in verdict.problems]
    assert told == [("b", "is down"), ("a", "the live stream traces is disconnected")]


def test_a_page_before_the_first_answers_is_waiting():
    """Nothing asked yet is neither good nor bad."""
    server = server_status(up=None, collectors=[collector(state=CollectorState.WAITING, last_success_at=None)])
    page = rendered(status_page(server))

    assert "stalwart-exporter Waiting for the first polls 0 of 1 server up" in page.text
    assert "not asked yet" in page.text
    assert "queue every 30 s waiting never" in page.text


def test_a_page_without_servers_or_history_can_be_shown():
    """The smallest page there is renders."""
    page = rendered(StatusPage(version="1", started_at=NOW, servers=(), store=None))

    assert "No server is configured" in page.text


def test_absolute_times_stand_behind_relative_ones():
    """Every moment is a time element that carries the ISO form in UTC."""
    page = rendered(status_page())

    times = [attributes for tag, attributes in page.tags if tag == "time"]
    assert {"datetime": "2026-03-01T11:59:48Z", "title": "2026-03-01T11:59:48Z"} in times


def test_only_so_many_problems_are_listed():
    """A server on which everything fails does not push the page away; the rest is counted."""
    failing = [collector(f"c{n}", state=CollectorState.FAILING) for n in range(PROBLEMS_SHOWN + 5)]

    verdict = judge(status_page(server_status(collectors=failing)), now=NOW)

    assert len(verdict.problems) == PROBLEMS_SHOWN
    assert verdict.problems_left_out == 5


def test_hostile_texts_stay_texts():
    """No value makes an element, an attribute, a link, a template or a turn of direction."""
    page = rendered(hostile_page())

    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "nav", "a", "p", "time"),
        *("main", "section", "ul", "li", "bdi", "code", "span", "table", "thead", "tbody", "tr", "th", "td"),
    }
    assert {key for _, found in page.tags for key in found} <= {
        *("lang", "charset", "name", "content", "class", "href", "rel", "datetime", "title", "aria-label"),
        *("scope", "colspan"),
    }
    assert page.attributes("href") == []
    assert "<script>document.title='owned'</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert page.text.isprintable()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("metrics", True),
        ("-/healthy", True),
        ("/metrics", False),
        ("https://example.org/a?b=c#d", True),
        ("http://[::1]:9787/", True),
        ("//evil.example/", False),
        ("/\\evil.example/", False),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("javascript://example.org/%0aalert(1)", False),
        ("ftp://example.org/", False),
        ("java\nscript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("https:///path", False),
        ("https:evil", False),
        ("http://[", False),
        ("metrics:80", False),
        ("?query", False),
        ("", False),
    ],
)
def test_only_paths_and_web_addresses_become_links(url, expected):
    """A link leads to this server or, by http and https, to a named one."""
    assert is_web_address(url) is expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (601, "10 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (12000, "3 h 20 min"),
        (86400, "1 d"),
        (180000, "2 d 2 h"),
    ],
)
def test_durations_are_told_in_their_largest_units(seconds, expected):
    """Two units at most, and the smaller one only where it still says something."""
    assert duration(seconds) == expected


def test_a_moment_ahead_of_the_clock_is_told_as_such():
    """A clock that differs is seen, not hidden; a fraction of a second is not."""
    assert ago(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert ago(NOW + timedelta(milliseconds=300), NOW) == "0 s ago"


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5_300_000, "5.1 MiB"), (3 * 1024**4, "3072.0 GiB")],
)
def test_sizes_are_told_in_binary_units(size_bytes, expected):
    """Up to GiB."""
    assert size(size_bytes) == expected


def test_long_texts_are_cut():
    """What nobody would read is not sent."""
    cut = harmless("x" * 100_000)

    assert cut == "x" * (TEXT_LIMIT - 1) + "…"


@dataclass(frozen=True)
class Visit:
    """What a browser made of a page: its document, and what it wrote to its console."""

    dom: str
    console: str


async def visit(port: int, directory: Path) -> Visit:
    """Opens the status page in Chromium."""
    finished = await asyncio.to_thread(_run_chromium, f"http://127.0.0.1:{port}/", directory)
    return Visit(dom=finished.stdout, console=finished.stderr)


def _run_chromium(url: str, directory: Path) -> subprocess.CompletedProcess[str]:
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
        *("--enable-logging=stderr", f"--user-data-dir={directory}"),
    )
    return subprocess.run(
        ["/usr/bin/chromium", *flags, "--dump-dom", url],
        capture_output=True,
        check=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
    )


def test_a_browser_shows_hostile_texts_and_runs_none(tmp_path: Path):
    """Chromium's own document has no script, no image, no foreign title; and the style sheet is let through."""

    async def scenario() -> None:
        async with serving(application(page=hostile_page())) as server:
            seen = await visit(server.port, tmp_path)

        page = read(seen.dom)
        assert "0 of 1" not in page.text
        assert page.text.startswith("history: <script>document.title='owned'</script>")
        assert "<title>history: &lt;script&gt;document.title=" in seen.dom
        assert not {"script", "img"} & {tag for tag, _ in page.tags}
        assert not [key for _, found in page.tags for key in found if key.startswith("on")]
        assert "<script>document.title='owned'</script>" in page.text
        assert "Content Security Policy" not in seen.console

    asyncio.run(scenario(), debug=True)


def test_a_browser_refuses_a_style_sheet_that_is_not_ours(tmp_path: Path):
    """The policy is what lets the style sheet through: under one without the digest Chromium complains."""
    strict = ((b"content-security-policy", b"default-src 'none'"),)

    async def scenario() -> None:
        guarded = Guard(application(), WebConfig(path=Path("web.yml"), headers=strict))
        async with serving(guarded) as server:
            seen = await visit(server.port, tmp_path)

        assert "Content Security Policy" in seen.console

    asyncio.run(scenario(), debug=True)


@contextmanager
def proxy(port: int, prefix: str) -> Iterator[str]:
    """A proxy that serves the program on *port* of loopback under *prefix*, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            passed_on = httpx.get(f"http://127.0.0.1:{port}/{self.path.removeprefix(prefix)}", trust_env=False)
            self.send_response(passed_on.status_code)
            self.send_header("Content-Type", passed_on.headers["content-type"])
            self.end_headers()
            self.wfile.write(passed_on.content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _link_bodies(port: int, prefix: str) -> dict[str, str]:
    """What each link of the page leads to, when followed as a browser does from below *prefix*."""
    with proxy(port, prefix) as url, httpx.Client(trust_env=False) as client:
        links = read(client.get(url).text).attributes("href")
        answers = {link: client.get(urljoin(url, link)) for link in links}
        assert {link: answer.status_code for link, answer in answers.items()} == dict.fromkeys(links, 200)
        return {link: answer.text for link, answer in answers.items()}


@pytest.mark.parametrize("prefix", ["/", "/stalwart/", "/mail/eu/stalwart/"])
def test_links_work_behind_a_proxy_under_any_path(run: Run, prefix):
    """Every link leads back to the exporter, wherever a proxy has put it."""

    async def scenario() -> None:
        async with serving(application(page=status_page(links=LINKS))) as server:
            bodies = await asyncio.to_thread(_link_bodies, server.port, prefix)

        assert bodies == {"metrics": "up 1\n", "-/healthy": "ok\n", "-/ready": "every server was asked\n"}

    run(scenario())
