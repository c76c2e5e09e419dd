"""A Prometheus beside the demo, if one is installed: the shipped rules, as fast as the simulated day."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path

from exporter.cli.config.assets import shipped_files
from exporter.units import DAY, HOUR, MINUTE, SECOND

PROGRAM = "prometheus"
SCRAPE_SECONDS = 2
SHORTEST_WINDOW_SECONDS = 5 * SCRAPE_SECONDS
"""A rate needs several scrapes."""

STOP_SECONDS = 10

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_WINDOW = re.compile(r"\[(\d+)([smhdw])\]")
_DELAY = re.compile(r"^(\s+for: )(\d+)([smhdw])$", re.MULTILINE)

CONFIG = """\
global: {{scrape_interval: {seconds}s, evaluation_interval: {seconds}s}}
rule_files: [{rules}/*.yml]
scrape_configs:
  - job_name: stalwart
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class DemoPrometheus:
    """
    A Prometheus that scrapes the demo and judges it by the shipped rules; it keeps its files below *folder*.

    Durations of the rules are divided by *speed*, so that what fires after hours of the day does so within seconds.
    """

    def __init__(self, folder: Path, *, speed: float) -> None:
        self._folder = folder / PROGRAM
        self._speed = speed
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, port: int) -> str | None:
        """Start it for the exporter at *port*; return its URL, or ``None`` if it is not installed."""
        program = shutil.which(PROGRAM)
        if program is None:
            return None
        rules = self._folder / "rules"
        rules.mkdir(parents=True)
        for source, target in shipped_files():
            if source.name.endswith(".rules.yml"):
                (rules / target.name).write_text(scaled(source.read_text("utf-8"), self._speed), "utf-8")
        config = self._folder / "prometheus.yml"
        config.write_text(CONFIG.format(seconds=SCRAPE_SECONDS, rules=rules, port=port), "utf-8")
        own = _free_port()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - found on the path, with our own files
                [
                    program,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{own}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return f"http://127.0.0.1:{own}"

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def scaled(rules: str, speed: float) -> str:
    """Return *rules* with every window and delay divided by *speed*."""

    def window(match: re.Match[str]) -> str:
        return f"[{max(SHORTEST_WINDOW_SECONDS, round(int(match[1]) * _UNITS[match[2]] / speed))}s]"

    def delay(match: re.Match[str]) -> str:
        return f"{match[1]}{round(int(match[2]) * _UNITS[match[3]] / speed)}s"

    return _DELAY.sub(delay, _WINDOW.sub(window, rules))


def _free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
