"""A real Prometheus, as Debian packages it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.exporter import wait_until
from tests.support.ports import reserve_port


class Prometheus:
    """
    A running Prometheus.

    Attributes:
        url: Where it answers queries.
    """

    def __init__(self, directory: Path, config: str) -> None:
        self._directory = directory
        self._config = directory / "prometheus.yml"
        self._config.write_text(config)
        self._port = reserve_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; returns once it answers."""
        with (self._directory / "prometheus.log").open("ab") as out:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._directory / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=out,
                stderr=out,
            )
        wait_until(self._ready, what="Prometheus is ready")

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        result = answer["data"]["result"]
        return list(result) if isinstance(result, list) else [result]

    def targets(self) -> list[dict[str, Any]]:
        """The active targets."""
        return list(httpx.get(f"{self.url}/api/v1/targets").json()["data"]["activeTargets"])

    def log(self) -> str:
        """What it has logged."""
        return (self._directory / "prometheus.log").read_text()

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


@contextlib.contextmanager
def prometheus(directory: Path, config: str) -> Iterator[Prometheus]:
    """A running Prometheus that is ended afterwards."""
    running = Prometheus(directory, config)
    try:
        running.start()
        yield running
    finally:
        running.stop()
