"""Pages about mail: what they find and say, from the logs of real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exporter.cli.main import app
from exporter.web.pages.mail.stuck import attempt_words
from tests.support.listener.site import Site, site
from tests.support.replays.told import RECENT, keep_recent
from tests.support.replays.trail import FOLDERS

CASES = ("sub-deferred", "sub-partly-rejected", "in-unknown", "in-greylisted", "in-spam")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of a few cases."""
    path = tmp_path_factory.mktemp("mail") / "h.sqlite3"
    keep_recent(path, FOLDERS[0], CASES)
    return path


@pytest.fixture(scope="module")
def pages(history: Path) -> Iterator[Site]:
    """Their pages, shortly after the last line."""
    with site(history, now=datetime.now(UTC).replace(microsecond=0) - RECENT + timedelta(minutes=5)) as served:
        yield served


def told(history: Path, *arguments: str) -> Any:
    """The JSON that a command prints."""
    result = CliRunner().invoke(app, [*arguments, "--json", "--store", str(history)])
    return json.loads(result.stdout)


def links_to_messages(pages: Site, path: str) -> set[str]:
    """The messages that a page links to, as server and queue id."""
    links = pages.page(path).attributes("href")
    parts = [link.lstrip("./").split("/") for link in links]
    return {f"{part[1]}/{part[2]}" for part in parts if len(part) == 3 and part[0] == "mail"}


@pytest.mark.parametrize(
    "query",
    ["", "domain=defer.test", "address=d@defer.test", "kind=dsn", "result=failed", "since=1d", "server=mx9", "limit=2"],
)
def test_the_list_is_that_of_the_command(pages: Site, history: Path, query: str):
    """The same messages as by `trail list` with the options of the same names."""
    options = [
        part for pair in query.split("&") if pair for part in (f"--{pair.partition('=')[0]}", pair.partition("=")[2])
    ]
    expected = {f"{one['server']}/{one['queue_id']}" for one in told(history, "trail", "list", *options)}

    found = links_to_messages(pages, f"/mail?{query}")

    assert found == expected


def test_refusals_are_listed_with_their_reason(pages: Site):
    """With the filters that only they have."""
    text = pages.page("/mail?refused=1").text

    assert "refused: greylisted" in text
    assert "refused: unknown recipient" in text
    assert "refused: unknown recipient" not in pages.page("/mail?refused=1&reason=greylisted").text
    assert "add refused" in pages.page("/mail?reason=greylisted", status=400).text


@pytest.mark.parametrize("what", ["d@defer.test", "bob@example.test", "nobody@example.test", "example.test"])
def test_a_question_is_answered_in_the_words_of_why(pages: Site, history: Path, what: str):
    """What happened, and what to do, are the same sentences."""
    expected = told(history, "why", what, "--offline")

    text = pages.page(f"/mail?what={what}").text

    assert expected["happened"].split(" at ")[0].split(":")[0] in text
    assert all(line.split(":")[0] in text for line in expected["todo"])


def test_a_message_is_shown_as_a_time_line(pages: Site, history: Path):
    """With its recipients, every event, and the picture in words."""
    (one,) = told(history, "trail", "list", "--domain", "defer.test")
    shown = told(history, "trail", "show", one["queue_id"])

    page = pages.page(f"/mail/{one['server']}/{one['queue_id']}")

    assert "Still in the queue" in page.text
    assert "d@defer.test" in page.text
    assert f"hex {int(one['queue_id']):x}" in page.text
    assert page.text.count("put off") >= 1 + sum(entry["outcome"] == "temporary_failure" for entry in shown["timeline"])
    assert [label for label in page.attributes("aria-label") if label.startswith("From ") and "put off" in label]


@pytest.mark.parametrize("path", ["/mail/mx1/12", "/mail/mx1/x", "/mail/mx1/99999999999999999999999", "/mail/%00/1"])
def test_a_message_that_is_not_there_is_not_found(pages: Site, path: str):
    """Status 404 in words."""
    assert "nothing of this message" in pages.page(path, status=404).text


def test_what_is_stuck_is_grouped_by_destination_with_its_cause(pages: Site):
    """The reply that put it off, and a link to each message."""
    page = pages.page("/mail/stuck")

    assert "defer.test" in page.text
    assert "1 recipient in 1 message" in page.text
    assert "answered 451" in page.text
    assert len([link for link in page.attributes("href") if link.startswith("../mail/") and link.count("/") == 3]) == 1


def test_senders_are_ranked_with_a_picture(pages: Site, history: Path):
    """The numbers are those of `senders top`."""
    rows = told(history, "senders", "top", "--since", "2d")

    text = pages.page("/mail/senders?since=2d").text

    assert rows
    assert [row["sender"] for row in rows if row["sender"] not in text] == []
    assert "No sender is unusual now" in text


@pytest.mark.parametrize("fmt", ["json", "csv"])
@pytest.mark.parametrize("refused", [False, True])
def test_an_export_has_the_bytes_of_the_command(pages: Site, history: Path, tmp_path: Path, fmt: str, refused: bool):
    """The same filter gives the same file."""
    out = tmp_path / "out"
    more = ["--refused"] if refused else ["--result", "failed"]
    CliRunner().invoke(app, ["trail", "export", *more, "-f", fmt, "-o", str(out), "--store", str(history)])

    got = pages.client.get(f"/mail/export?{'refused=1' if refused else 'result=failed'}&format={fmt}")

    assert got.content == out.read_bytes()
    assert len(got.content) > 300


@pytest.mark.parametrize("path", ["/mail", "/mail/stuck", "/mail/senders", "/mail/mx1/1", "/mail/export"])
def test_mail_needs_loopback_or_a_login(pages: Site, path: str):
    """A request that names another host, as after DNS rebinding, learns nothing."""
    refused = pages.client.get(path, headers={"Host": "evil.example"})

    assert refused.status_code == 403
    assert "basic_auth_users" in refused.text


@pytest.mark.parametrize(("seconds", "words"), [(90, "in 1 min 30 s"), (0, "due"), (-3, "due")])
def test_an_attempt_that_is_late_is_due(seconds: int, words: str):
    """The server makes it when it gets to it, so it has not been made "3 s ago"."""
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)

    assert attempt_words(now + timedelta(seconds=seconds), now).endswith(f"({words})")
