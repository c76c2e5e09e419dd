"""Pages about domain checks: what is there, what should be, and when it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.model.posture import Check, CheckOutcome, CheckResult, CheckState, PolicyFile, Record
from exporter.store.posture.history import Change, PostureHistory
from exporter.store.store import Store
from tests.support.listener.site import Site, site

NOW = 1_796_000_000
KEY = "v=DKIM1; k=rsa; p=" + "A" * 700


def state(domain: str, check: Check, result: CheckResult, **more: object) -> CheckState:
    """A result that is a day old."""
    outcome = CheckOutcome(domain=domain, check=check, result=result, **more)  # type: ignore[arg-type]
    return CheckState(outcome=outcome, known=result, changed_at=NOW - 86_400, checked_at=NOW - 60)


STATES = [
    state("good.test", Check.MX, CheckResult.GOOD, seen=("10 mx.good.test.",)),
    state(
        "bad.test",
        Check.DKIM,
        CheckResult.BAD,
        seen=("the key of selector s1 differs",),
        publish=(Record(name="s1._domainkey.bad.test", type="TXT", content=KEY),),
        remove=(Record(name="s1._domainkey.bad.test", type="TXT", content="v=DKIM1; p=old"),),
    ),
    state(
        "bad.test",
        Check.MTA_STS,
        CheckResult.UNKNOWN,
        files=(
            PolicyFile(url="https://mta-sts.bad.test/.well-known/mta-sts.txt", content="version: STSv1\r\nmode: none"),
        ),
    ),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages of two domains."""
    path: Path = tmp_path_factory.mktemp("domains") / "h.sqlite3"

    async def write() -> None:
        store = await Store.open(path, now=datetime.fromtimestamp(NOW, UTC))
        change = Change(
            domain="bad.test", check=Check.DKIM, at=NOW - 86_400, result=CheckResult.BAD, seen="v=DKIM1; p=old"
        )
        await PostureHistory(store, "mx1").save(STATES, [change])
        await store.aclose()

    asyncio.run(write())
    with site(path, now=datetime.fromtimestamp(NOW, UTC)) as served:
        yield served


def test_domains_with_bad_results_come_first(pages: Site):
    """Each with what is bad or unknown, and since when."""
    text = pages.page("/domains").text

    assert "1 of 2 domains with a bad result" in text
    assert text.index("bad.test") < text.index("good.test")
    assert "DKIM MTA-STS" in text
    assert "1 d ago" in text
    assert "good.test" not in pages.page("/domains?bad=1").text
    assert "bad.test" not in pages.page("/domains?domain=good.test").text.replace("only bad ones", "")
    assert "bad: 1 or 0" in pages.page("/domains?bad=x", status=400).text


def test_a_domain_shows_what_is_there_and_what_should_be(pages: Site):
    """Records can be pasted whole, however long they are; files have all their lines."""
    page = pages.page("/domains/mx1/Bad.TEST")
    answer = pages.client.get("/domains/mx1/bad.test").text
    (record,) = STATES[1].outcome.publish
    (old,) = STATES[1].outcome.remove

    assert record.zone_line().replace('"', "&#34;") in answer
    assert old.zone_line() in page.text
    assert "the key of selector s1 differs" in page.text
    assert "version: STSv1\nmode: none" in answer
    assert "v=DKIM1; p=old" in page.text
    assert "Reports about it" not in page.text


@pytest.mark.parametrize("path", ["/domains/mx2/bad.test", "/domains/mx1/nowhere.test", "/domains/mx1/..a"])
def test_a_domain_that_was_not_checked_is_not_found(pages: Site, path: str):
    """Status 404 in words."""
    assert "has not been checked" in pages.page(path, status=404).text


def test_a_history_without_checks_says_what_to_do(tmp_path: Path):
    """The setting is named."""

    async def write() -> None:
        await (await Store.open(tmp_path / "h.sqlite3", now=datetime.fromtimestamp(NOW, UTC))).aclose()

    asyncio.run(write())
    with site(tmp_path / "h.sqlite3", now=datetime.fromtimestamp(NOW, UTC)) as empty:
        assert "checks.enabled" in empty.page("/domains").text
        assert "No mail waits" in empty.page("/mail/stuck").text
        assert "No report matches" in empty.page("/reports").text
        assert "No message matches" in empty.page("/mail").text
