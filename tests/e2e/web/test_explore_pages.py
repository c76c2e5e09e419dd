"""The pages on mail, reports and domains of the running exporter, over the history that it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.attacks import attacked
from tests.support.exporter import Exporter
from tests.support.listener.status import read

CONFIG = """
[[servers]]
name = "mx1"
url = "http://127.0.0.1:9"
token = "unused"
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an exporter whose history strangers have written to; its server does not answer."""
    directory: Path = tmp_path_factory.mktemp("explored")
    attacked(directory / "history.sqlite3")
    exporter = Exporter(directory, config=CONFIG).start()
    try:
        with httpx.Client(base_url=exporter.url, trust_env=False, timeout=60) as opened:
            yield opened
    finally:
        exporter.stop()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/mail", "Newest messages"),
        ("/mail?what=x.test", "x.test"),
        ("/mail/mx1/1", "Time line"),
        ("/mail/stuck", "Waiting after a failed attempt"),
        ("/mail/senders", "Most active"),
        ("/reports", "Messages per day"),
        ("/reports/domains/example.test", "Reporters"),
        ("/reports/dmarc/1", "DMARC report about example.test"),
        ("/domains", "with a bad result"),
        ("/domains/mx1/evil.test", "What should be there"),
    ],
)
@pytest.mark.fault("web", "every text of the history that pages show is an attack")
def test_a_page_is_served_by_the_process(client: httpx.Client, path: str, words: str):
    """Each page has the strict policy and no cookie, and the metrics are served as before."""
    answer = client.get(path)

    assert answer.status_code == 200, answer.text
    assert words in read(answer.text).text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert client.get("/metrics").status_code == 200


def test_exports_are_streamed_while_the_daemon_writes(client: httpx.Client):
    """Both exports are whole JSON, and another host's name gets neither."""
    for path in ("/mail/export", "/mail/export?refused=1", "/reports/export?format=json"):
        assert len(client.get(path).json()) > 5
        assert client.get(path, headers={"Host": "evil.example"}).status_code == 403
