"""Pages about reports: what they show, what they refuse, and that exports are those of the command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.listener.site import Site, site
from tests.support.reports.commands import answer, call
from tests.support.reports.history import now, ordinary, take_in


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days of reports."""
    path = tmp_path_factory.mktemp("reports") / "h.sqlite3"
    take_in(path, ordinary())
    return path


@pytest.fixture(scope="module")
def pages(history: Path) -> Iterator[Site]:
    """Their pages."""
    with site(history, now=now()) as served:
        yield served


def test_domains_are_shown_with_volume_and_policy(pages: Site):
    """The sums are those of the days, the pictures say the same in words, and each domain has a link."""
    page = pages.page("/reports")

    assert "example.test" in page.text
    assert "bücher.test (xn--bcher-kva.test)" in page.text
    assert "p=none" in page.text
    assert any(text.startswith("example.test: 3 000 aligned and") for text in page.attributes("aria-label"))
    assert "./reports/domains/example.test" in page.attributes("href")


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("kind=tls", {"tls"}),
        ("kind=ARF", {"arf"}),
        ("result=auth-failure", {"arf"}),
        ("reporter=QUIET&since=400d", {"dmarc"}),
        ("domain=other.test", {"tls"}),
        ("server=mx9", set()),
        ("domain=nowhere.test", set()),
    ],
)
def test_the_list_is_filtered_as_by_the_command(pages: Site, history: Path, query: str, kinds: set[str]):
    """The same reports are listed as by `reports list` with the options of the same names."""
    options = [part for pair in query.split("&") for part in _option(pair)]
    listed = answer(history, "list", *options)

    links = pages.page(f"/reports?{query}").attributes("href")

    assert {row["kind"] for row in listed} == kinds
    assert {f"./reports/{row['kind']}/{row['id']}" for row in listed} == {
        link for link in links if link.startswith(("./reports/dmarc/", "./reports/tls/", "./reports/arf/"))
    }


def _option(pair: str) -> list[str]:
    name, _, value = pair.partition("=")
    return [f"--{name}", value]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=soon", "since: a date"),
        ("since=0001-01-01T00:00%2B14:00", "since: not a time that UTC has"),
        ("kind=x", "kind: one of dmarc, tls, arf"),
        ("domain=a..b", "domain: not a domain name"),
        ("result=x", "result: one of aligned"),
        ("limit=0", "limit: a number from 1 to 500"),
        ("doman=example.test", "The filters of this page are"),
        ("kind=tls&kind=arf", "kind: given more than once"),
        (f"server={'x' * 2000}", "server: longer than"),
    ],
)
def test_a_wrong_filter_is_refused_in_words(pages: Site, query: str, words: str):
    """Status 400 says what the value may be, without repeating it."""
    assert words in pages.page(f"/reports?{query}", status=400).text


def test_an_empty_field_of_the_form_filters_nothing(pages: Site):
    """A form sends its empty fields as well."""
    assert pages.client.get("/reports?domain=&kind=&since=").text.count("<tr>") == (
        pages.client.get("/reports").text.count("<tr>")
    )


def test_a_domain_shows_sources_reporters_silence_tls_and_complaints(pages: Site):
    """All that reports say about a domain is on its page."""
    text = pages.page("/reports/domains/Example.TEST").text

    for expected in (
        "2001:db8::bad",
        "Silent: quiet.test",
        "Not ready: 7.1 % of 3 230 messages fail",
        "certificate-expired",
        "starttls-not-supported",
        "auth-failure",
        "p=none",
    ):
        assert expected in text


def test_a_domain_without_reports_is_not_found(pages: Site):
    """Status 404 names the time that was looked at."""
    assert "in the last 30 days" in pages.page("/reports/domains/nowhere.test", status=404).text
    assert "not a domain name" in pages.page("/reports/domains/..%00", status=404).text


@pytest.mark.parametrize("kind", ["dmarc", "tls", "arf"])
def test_a_report_is_shown_in_full(pages: Site, history: Path, kind: str):
    """Every fact that `reports show` prints is on the page."""
    id_ = answer(history, "list", "--kind", kind)[0]["id"]
    shown = call(history, "show", str(id_)).stdout

    text = pages.page(f"/reports/{kind}/{id_}").text

    missing = [word for line in shown.splitlines()[:8] for word in line.split() if word not in text]
    assert missing == []
    assert pages.page(f"/reports/{'tls' if kind == 'arf' else 'arf'}/{id_}", status=404).text


@pytest.mark.parametrize("fmt", ["json", "jsonl", "csv"])
def test_an_export_has_the_bytes_of_the_command(pages: Site, history: Path, tmp_path: Path, fmt: str):
    """The same filter gives the same file."""
    out = tmp_path / "out"
    call(history, "export", "--domain", "example.test", "--since", "10d", "--format", fmt, "--output", str(out))

    got = pages.client.get(f"/reports/export?domain=example.test&since=10d&format={fmt}")

    assert got.content == out.read_bytes()
    assert len(got.content) > 1000
    assert got.headers["content-disposition"] == f'attachment; filename="reports.{fmt}"'
    assert "sandbox" in got.headers["content-security-policy"]


@pytest.mark.parametrize(("fmt", "empty"), [("json", "[\n]\n"), ("jsonl", "")])
def test_an_export_without_reports_is_empty(pages: Site, fmt: str, empty: str):
    """A filter that nothing matches is no error."""
    got = pages.client.get(f"/reports/export?domain=nowhere.test&format={fmt}")

    assert (got.status_code, got.text) == (200, empty)


def test_addresses_in_reports_need_loopback_or_a_login(pages: Site):
    """A request that names another host, as after DNS rebinding, gets sums but neither a report nor an export."""
    elsewhere = {"Host": "evil.example"}

    assert pages.client.get("/reports", headers=elsewhere).status_code == 200
    assert pages.client.get("/reports/dmarc/1", headers=elsewhere).status_code == 403
    assert pages.client.get("/reports/export", headers=elsewhere).status_code == 403
