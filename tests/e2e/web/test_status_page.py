"""The status page of the running exporter tells the truth about a real scene."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from exporter.simulator import StandIn, World
from exporter.simulator.world.mail.destinations import Temper
from tests.support.exporter import Exporter, wait_until
from tests.support.paths import ROOT
from tests.support.ports import reserve_port
from tests.support.standin import Scene, community, enterprise, mail, server_table, wait_good, watching

GENERATIONS = ("0.15.5", "0.16.18")


@dataclass(frozen=True)
class Headline:
    """The verdict as a reader finds it: its colour, its first line, its whole text."""

    kind: str
    title: str
    text: str


def read_headline(page: str) -> Headline:
    section = re.search(r'<section class="card verdict (\w+)".*?</section>', page, re.DOTALL)
    assert section is not None, page
    title = re.search(r"<h1>.*?</h1>", section[0], re.DOTALL)
    assert title is not None
    return Headline(section[1], _words(title[0]), _words(section[0]))


def _words(markup: str) -> str:
    inline = re.sub(r"</?(bdi|time)[^>]*>", "", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", inline)).split())


def wait_headline(scene: Scene, *, kind: str, says: str) -> Headline:
    """Waits until the page's first line begins with *says*, in the colour of *kind*."""
    seen: list[Headline] = []

    def found() -> bool:
        seen[:] = [read_headline(scene.page("/"))]
        return seen[0].kind == kind and seen[0].title.startswith(says)

    scene.wait(found, lambda: f"the page says {seen[0]}")
    return seen[0]


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_healthy_community_server_is_not_red(version: str, tmp_path: Path):
    """What the edition does not have is neither an error nor a colour, with streams on."""
    with watching(tmp_path, community(version), streams="auto") as scene:
        wait_good([scene], "queue", "logs")
        wait_headline(scene, kind="good", says="All is well")

        assert 'class="badge bad"' not in scene.page("/")
        assert 'class="error"' not in scene.page("/")
        server = _words(scene.page("/servers/mx1"))
        assert "community edition" in server
        assert re.search(r"Requests to this server .* \d+ 200: \d+", server)
        assert "StalwartQueuePaused quiet page" in _words(scene.page("/alerts"))


@pytest.mark.fault("server", "deliveries are paused")
def test_a_paused_queue_is_the_headline(tmp_path: Path):
    """The status page's first line reports the pause, and is green again after a resume."""
    with watching(tmp_path, enterprise()) as scene:
        scene.server.call(World.pause_queue)
        told = wait_headline(scene, kind="bad", says="mx1: deliveries are paused")
        assert "resume them" in told.title

        scene.server.call(World.resume_queue)
        wait_headline(scene, kind="good", says="All is well")


@pytest.mark.fault("neighbours", "one destination defers everything")
@pytest.mark.parametrize("version", GENERATIONS)
def test_a_failing_destination_is_the_headline(version: str, tmp_path: Path):
    """The status page's first line names the destination and the number of waiting recipients."""
    with watching(tmp_path, community(version)) as scene:
        scene.server.call(lambda world: world.set_destination("big.test", Temper.DEFER))
        mail(scene.server, *(f"user{n}@big.test" for n in range(60)))

        told = wait_headline(scene, kind="wait", says="mx1: big.test defers 60 recipients")

        assert "Runbook: StalwartDestinationDeferring" in told.text


@pytest.mark.fault("credentials", "the key is refused")
def test_a_refused_key_is_the_headline(tmp_path: Path):
    """The status page's first line reports refused credentials, not a server that is down."""
    with watching(tmp_path, community(), login=("watcher", "wrong")) as scene:
        wait_headline(
            scene, kind="bad", says="mx1: the server refuses the exporter's credentials. Fix the exporter's secret file"
        )


@pytest.mark.fault("server", "the server is gone")
def test_a_server_that_is_gone_is_the_headline(tmp_path: Path):
    """The status page's first line names the server that is down and the reason."""
    with watching(tmp_path, community()) as scene:
        wait_good([scene], "queue")
        scene.server.stop_listening()

        wait_headline(scene, kind="bad", says="mx1 is down")


def test_an_operators_thresholds_hold_on_the_page_too(tmp_path: Path):
    """The `thresholds.json` beside one's own rules makes the page judge as those do."""
    (tmp_path / "mine.yaml").write_text("alerts: {StalwartDestinationDeferring: {recipients: 2}}")
    rules = [sys.executable, "-m", "alerts", "--write", "--thresholds", str(tmp_path / "mine.yaml")]
    subprocess.run([*rules, "--output", str(tmp_path / "rules")], cwd=ROOT, check=True)
    environ = {"STALWART_EXPORTER_WEB__THRESHOLDS_FILE": str(tmp_path / "rules" / "thresholds.json")}
    with StandIn(community()) as server:
        mail(server, *(f"user{n}@defer.test" for n in range(3)))
        with Exporter(tmp_path, config=server_table(server.url), environ=environ) as exporter:
            wait_headline(Scene(server, exporter), kind="wait", says="mx1: defer.test defers 3 recipients")


@pytest.mark.parametrize("command", ["check-config", "run"])
def test_thresholds_that_cannot_be_used_are_refused(command: str, tmp_path: Path):
    """The check refuses what the exporter would, with the path of the setting."""
    (tmp_path / "thresholds.json").write_text('{"alerts": {"StalwartQueueBacklog": {"severity": "page"}}}')
    (tmp_path / "config.toml").write_text(
        '[web]\nlisten = "127.0.0.1:0"\nthresholds_file = "thresholds.json"\n'
        f'[store]\npath = "{tmp_path / "history.sqlite3"}"\n{server_table("http://127.0.0.1:1")}'
    )

    done = subprocess.run(
        [sys.executable, "-m", "exporter", command, "--config", str(tmp_path / "config.toml")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 2, done.stderr
    assert "web.thresholds_file: " in done.stdout + done.stderr


@contextmanager
def demo(*options: str) -> Iterator[str]:
    """A running demo; its URL."""
    port = reserve_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "exporter", "demo", "--listen", f"127.0.0.1:{port}", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(url), what="the demo answers", seconds=120)
        yield url
    finally:
        process.terminate()
        process.wait(120)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_demo_of_a_community_server_is_well(tmp_path: Path):
    """A healthy server of the community edition begins green and without an error."""
    with demo("--edition", "community", "--speed", "1") as url:

        def page() -> str:
            return httpx.get(url, trust_env=False, timeout=120).text

        wait_until(lambda: read_headline(page()).kind == "good", what="the page is green", seconds=120)

        assert 'class="badge bad"' not in page()


@pytest.mark.slow
def test_the_page_tells_the_demos_day(tmp_path: Path):
    """Through a day with a failing destination and a pause each is told while it lasts, and never well."""
    told: list[tuple[float, float, Headline]] = []
    with demo() as url:

        def look() -> bool:
            metrics = httpx.get(f"{url}/metrics", trust_env=False, timeout=120).text
            headline = read_headline(httpx.get(url, trust_env=False, timeout=120).text)
            told.append((_sample(metrics, "stalwart_queue_running"), _deferred(metrics), headline))
            return any(headline.title.startswith("demo: deliveries are paused") for _, _, headline in told)

        wait_until(look, what="the queue is paused", seconds=900)

    assert any("big-mailbox.test defers" in headline.title for _, _, headline in told)
    for running, deferred, headline in told:
        if deferred > 60 or running == 0:
            assert not headline.title.startswith("All is well"), headline


def _sample(metrics: str, name: str) -> float:
    found = re.search(rf"^{name}{{.*?}} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else -1.0


def _deferred(metrics: str) -> float:
    """The recipients that the destination with the most of them defers."""
    found = re.findall(
        r'^stalwart_queue_domain_recipients{(?=.*status="temporary_failure")(?!.*domain="other").*} (\S+)$',
        metrics,
        re.MULTILINE,
    )
    return max(map(float, found), default=0.0)
