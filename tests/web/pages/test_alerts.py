"""The alerts' list and their runbooks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from exporter.web.interfaces import StatusPage
from exporter.web.pages.alerts.page import alert, alerts
from exporter.web.pages.alerts.runbooks import INDEX_NAME, names, runbook
from exporter.web.verdict.thresholds import shipped
from tests.support.builders.verdicts import CALM, enterprise
from tests.support.listener.app import status_page
from tests.support.listener.status import read, visit_of
from tests.support.paths import ROOT

PAUSED = status_page(enterprise(queue=replace(CALM, running=False, messages=5000)))


def opened(name: str, page: StatusPage, arguments: Mapping[str, str] | None = None) -> Response:
    visited = visit_of(page, path=f"/alerts/{name}", arguments={"name": name})
    return asyncio.run(alert(visited))


def test_every_alert_has_a_page():
    """Each shipped alert, the watchdog included, leads to its runbook."""
    assert set(shipped().alerts) <= names()
    for name in shipped().alerts:
        assert opened(name, status_page()).status_code == 200, name


def test_links_of_runbooks_lead_to_pages():
    """A link is one to another runbook or its part, or to a web site; no file of the source tree is linked."""
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        found = runbook(INDEX_NAME if path.stem == "README" else path.stem)
        assert found is not None
        for link in re.findall(r'href="([^"]*)"', found.content):
            page, _, anchor = link.partition("#")
            if link.startswith("https://"):
                continue
            linked = runbook(page) if page else found
            assert linked is not None, (path.name, link)
            assert not anchor or f'id="{anchor}"' in linked.content, (path.name, link)


def test_a_runbook_has_no_raw_markup_and_no_style():
    """The policy lets no style in, and no file needs HTML."""
    for name in names() - {"README"}:
        found = runbook(name)
        assert found is not None
        assert "style=" not in found.content
        assert "<h1" not in found.content


def test_an_unknown_name_is_not_found():
    """Neither a file elsewhere nor a word that is no alert is opened."""
    for name in ("Nothing", "../queue", "README.md", "%2e%2e", "", "a" * 500):
        assert opened(name, status_page()).status_code == 404, name


def test_a_runbook_says_where_it_is_needed():
    """Before its text stands the server on which the condition holds."""
    page = read(bytes(opened("StalwartQueuePaused", PAUSED).body).decode())

    assert "urgent mx1: deliveries are paused" in page.text
    assert page.text.index("urgent mx1") < page.text.index("Mitigation")


def test_the_list_has_what_fires_first():
    """What fires stands before what is pending, that before the quiet ones, and those that are not judged last."""
    response = asyncio.run(alerts(visit_of(PAUSED, path="/alerts")))
    text = read(bytes(response.body).decode()).text

    assert re.search(r"StalwartQueuePaused mx1: deliveries are paused.*? fires page", text)
    assert re.search(r"StalwartQueueBacklog mx1: 5000 messages wait .*?\(alert after 15 min\) pending", text)
    order = [text.index(name) for name in ("StalwartQueuePaused", "StalwartQueueBacklog", "StalwartServerDown")]
    assert order == sorted(order)
    assert re.search(r"StalwartRelayBudget left to Prometheus", text)
