"""What a browser and a proxy make of the status page."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from exporter.app.status import LINKS
from exporter.store.reader import HistoryReader
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from tests.support.listener.app import Run, application, serving, status_page
from tests.support.listener.scenes import NOW, write_day
from tests.support.listener.status import hostile_page, read


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
            passed_on = httpx.get(
                f"http://127.0.0.1:{port}/{self.path.removeprefix(prefix)}", trust_env=False, timeout=60
            )
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


def _link_bodies(port: int, prefix: str, page: str) -> dict[str, str]:
    """What each link of a page leads to, by its path, when followed as a browser does from below *prefix*."""
    with proxy(port, prefix) as url, httpx.Client(trust_env=False, timeout=60) as client:
        at = urljoin(url, page)
        links = [link for link in read(client.get(at).text).attributes("href") if not link.startswith(("#", "data:"))]
        answers = {urljoin(at, link).removeprefix(url): client.get(urljoin(at, link)) for link in links}
        assert {link: answer.status_code for link, answer in answers.items()} == dict.fromkeys(answers, 200)
        return {link: answer.text for link, answer in answers.items()}


@pytest.mark.parametrize("prefix", ["/", "/stalwart/", "/mail/eu/stalwart/"])
def test_links_work_behind_a_proxy_under_any_path(run: Run, tmp_path: Path, prefix):
    """Every link leads back to the exporter, wherever a proxy has put it."""

    async def scenario() -> None:
        await write_day(tmp_path / "history.sqlite3", [], NOW)
        history = HistoryReader(tmp_path / "history.sqlite3")
        async with serving(application(page=status_page(links=LINKS), history=history)) as server:
            bodies = await asyncio.to_thread(_link_bodies, server.port, prefix, "./")
            deeper = await asyncio.to_thread(_link_bodies, server.port, prefix, "servers/mx1")

        known = {"metrics": "up 1\n", "-/healthy": "ok\n", "-/ready": "every server was asked\n"}
        assert {link: bodies[link] for link in known} == known
        assert {"", "alerts", "servers/mx1"} <= bodies.keys()
        assert {"", "alerts", "servers/mx1?refresh=1"} <= deeper.keys()

    run(scenario())
