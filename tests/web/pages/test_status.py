"""The status page: its words, and what a browser makes of it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from exporter.app.status import LINKS
from exporter.web.interfaces import (
    CollectorState,
    StatusPage,
    StoreStatus,
    StreamStatus,
)
from exporter.web.pages.base import TEXT_LIMIT, harmless, is_web_address
from exporter.web.pages.overview.page import overview
from exporter.web.verdict.judge import PROBLEMS_SHOWN, judge
from tests.support.builders.situations import SITUATIONS
from tests.support.listener.app import NOW, collector, server_status, status_page
from tests.support.listener.status import Page, hostile_page, read, visit_of


def rendered(page: StatusPage) -> Page:
    return read(bytes(asyncio.run(overview(visit_of(page))).body).decode())


def test_a_page_where_all_is_well_says_so():
    """The verdict comes first, and each server, collector, stream and capability is named with its state."""
    page = rendered(status_page(links=LINKS))

    assert page.text.startswith("All is well")
    assert "1 of 1 server up" in page.text
    assert "Runbook" not in page.text
    assert re.search(r"mx1 up Stalwart 0\.15\.5, Enterprise edition, REST API", page.text)
    assert "queue every 30 s ok 12 s ago" in page.text
    assert "metrics sse connected 0 s ago" in page.text
    assert "History ok /var/lib/history.sqlite3, 5.1 MiB" in page.text
    assert {"metrics", "-/healthy", "-/ready"} <= set(page.attributes("href"))


def test_a_page_with_trouble_says_what_since_when_and_what_to_do():
    """What is down comes before what fails, each with its last good moment, then the next step."""
    failing = collector(
        "reports",
        state=CollectorState.FAILING,
        last_success_at=NOW - timedelta(minutes=42),
        error="the server refused the credentials",
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

    assert "mx2 is down: connection refused. Check that its process runs" in page.text
    assert "1 of 2 servers up, 3 problems" in page.text
    assert re.search(
        r"mx2 is down: connection refused .*\(last good 2 h ago\).* Runbook: StalwartServerDown"
        r".* history: disk full.* Runbook: StalwartExporterStoreErrors"
        r".* mx1: reports fails: the server refused the credentials .*\(last good 42 min ago\).*"
        r" Run stalwart-exporter doctor. Runbook: StalwartCollectorStale",
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

    assert "Waiting for the first polls 0 of 1 server up" in page.text
    assert "not polled yet" in page.text
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
        *("footer", "svg", "rect", "path", "link", "div", "strong", "details", "summary"),
        *("main", "section", "ul", "li", "bdi", "code", "span", "table", "thead", "tbody", "tr", "th", "td"),
    }
    assert {key for _, found in page.tags for key in found} <= {
        *("lang", "charset", "name", "content", "class", "href", "rel", "datetime", "title", "aria-label"),
        *(
            "scope",
            "colspan",
            "id",
            "aria-current",
            "aria-hidden",
            "role",
            "focusable",
            "viewbox",
            "width",
            "height",
            "rx",
            "d",
        ),
    }
    assert all(link.startswith(("#content", "./", "data:image/svg+xml,")) for link in page.attributes("href"))
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


def test_long_texts_are_cut():
    """What nobody would read is not sent."""
    cut = harmless("x" * 100_000)

    assert cut == "x" * (TEXT_LIMIT - 1) + "…"


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_is_told_in_the_first_line(name: str):
    """The first heading of the page is the verdict, in its colour, with the next step; each problem has its runbook."""
    situation = SITUATIONS[name]
    html = bytes(asyncio.run(overview(visit_of(situation.page))).body).decode()

    heading = re.search(r'<section class="card verdict (\w+)"[^>]*>\s*<h1>(.*?)</h1>', html, re.DOTALL)
    assert heading is not None
    assert heading[1] == situation.kind
    assert read(heading[2]).text.startswith(situation.says)
    told = judge(situation.page, now=NOW).problems
    assert {f"./alerts/{problem.alert}" for problem in told} <= set(read(html).attributes("href"))
