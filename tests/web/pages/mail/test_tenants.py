"""A login of one domain sees the mail of that domain, and nothing else."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings

from exporter.store.reader import HistoryReader
from exporter.store.trail.rows import TrailRows
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from tests.support.listener.app import HASH, application, basic
from tests.support.listener.site import StandingClock
from tests.support.trails import NOW, OTHERS, OWN, SERVER, new_history, questions, trails, write_rows

TENANT, ADMIN = basic("tenant", "s3cret"), basic("admin", "s3cret")
SHUT = (
    "/",
    "/metrics",
    "/reports",
    "/reports/export",
    "/domains",
    "/mail/stuck",
    "/mail/senders",
    "/alerts",
    "/-/ready",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history without mail."""
    path = tmp_path_factory.mktemp("tenants") / "h.sqlite3"
    new_history(path)
    return path


async def answers(path: Path, pages: list[str], login: dict[str, str]) -> dict[str, httpx.Response]:
    """What a login is answered, from another machine."""
    app = application(history=HistoryReader(path), clock=StandingClock(NOW + timedelta(minutes=1)))
    config = WebConfig(path=Path("web.yml"), users={"tenant": HASH, "admin": HASH})
    transport = httpx.ASGITransport(Guard(app, config, tenants={"tenant": OWN}), client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.2", headers=login) as client:
        return {page: await client.get(page) for page in pages}


def pages_about(rows: TrailRows) -> list[str]:
    """Every page that shows mail, about everything that can be asked."""
    asked = [f"/mail?what={what.replace('<', '%3C').replace('>', '%3E')}" for what in questions(rows)]
    listed = ["/mail", "/mail?refused=1", "/mail/export", "/mail/export?format=csv", "/mail/export?refused=1"]
    return [*listed, *asked, *(f"/mail/{SERVER}/{id_}" for id_ in rows.messages)]


@settings(max_examples=12)
@given(trails())
def test_no_other_domain_appears_on_any_page(path: Path, rows: TrailRows):
    """Neither an address nor a host, a reply or a message id of another domain, but in the reader's own question."""
    write_rows(path, rows)

    for page, answer in asyncio.run(answers(path, pages_about(rows), TENANT)).items():
        assert answer.status_code in (200, 404), page
        # The field shows again what was typed, and the links of the page's own address repeat it.
        text = re.sub(r'value="[^"]*"|href="[^"]*what=[^"]*"', "", answer.text)
        assert [other for other in OTHERS if other in text] == [], page


@settings(max_examples=3)
@given(trails())
def test_a_login_without_a_limit_sees_every_recipient(path: Path, rows: TrailRows):
    """The property above is not empty."""
    write_rows(path, rows)

    shown = asyncio.run(answers(path, ["/mail/export"], ADMIN))["/mail/export"].text

    assert all(address in shown for _, address in rows.recipients)


def test_a_tenant_is_admitted_to_mail_only(path: Path):
    """Everything else is refused with words, and the navigation does not lead there."""
    write_rows(path, TrailRows())
    found = asyncio.run(answers(path, [*SHUT, "/mail"], TENANT))

    assert {page: answer.status_code for page, answer in found.items()} == {**dict.fromkeys(SHUT, 403), "/mail": 200}
    assert "the mail of one domain only" in found["/metrics"].text
    assert f"Only mail of <bdi>{OWN}</bdi>" in found["/mail"].text
    assert "/reports" not in found["/mail"].text
    assert asyncio.run(answers(path, ["/mail"], basic("tenant", "wrong")))["/mail"].status_code == 401
    everything = asyncio.run(answers(path, [*SHUT], ADMIN))
    assert {page: answer.status_code for page, answer in everything.items()} == dict.fromkeys(SHUT, 200)
