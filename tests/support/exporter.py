"""The exporter as a process, as an operator runs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import reserve_port

Series = tuple[str, tuple[tuple[str, str], ...]]


def series(name: str, **labels: str) -> Series:
    """The key of one series among `Exporter.samples`."""
    return name, tuple(sorted(labels.items()))


def wait_until(condition: Callable[[], object], *, what: str, seconds: float = 60.0) -> object:
    """Waits for *condition* to return something true, and returns that; fails with *what* after the deadline."""
    deadline = time.monotonic() + seconds
    tick = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last: {value!r}")
        tick.wait(0.05)


START_SECONDS = 120.0
"""Not a limit but a guard against waiting for ever: a loaded machine takes long to start a process."""


class Exporter:
    """
    A running exporter.

    Attributes:
        url: Where it serves.
    """

    def __init__(
        self,
        directory: Path,
        *,
        config: str = "",
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """With *prefix* another command runs it, in whose place it then is."""
        self._prefix = prefix
        self.directory = directory
        self.port = reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environ = dict(environ or {})
        self._config = directory / "config.toml"
        self._has_config = bool(config)
        self._config_text = config
        if config:
            self._config.write_text(config)
        self._log = directory / "exporter.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config_path(self) -> Path:
        """Its configuration file."""
        return self._config

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Exporter:
        """Starts it; returns once it serves."""
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("STALWART_EXPORTER_")},
            "STALWART_EXPORTER_LISTEN": f"127.0.0.1:{self.port}",
            "STALWART_EXPORTER_STORE_PATH": str(self.directory / "history.sqlite3"),
            "STALWART_EXPORTER_TEST_RERAISE": "1",
            # Tests that check domains bring a DNS server of their own.
            **({} if "[checks]" in self._config_text else {"STALWART_EXPORTER_CHECKS__ENABLED": "false"}),
            "PYTHONWARNINGS": "error",
            **self._environ,
        }
        command = [*self._prefix, sys.executable, "-m", "exporter", "run"]
        if self._has_config:
            command += ["--config", str(self._config)]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(command, env=environ, stdout=out, stderr=out, cwd=self.directory)
        try:
            wait_until(self._serves, what="the exporter serves", seconds=START_SECONDS)
        except BaseException:
            self.kill()
            raise
        return self

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the exporter ended with {self._process.returncode}:\n{self.log()}")
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/-/healthy").status_code == 200
        return False

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise

    def log(self) -> str:
        """Everything it has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def events(self) -> list[dict[str, object]]:
        """Its log as events."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def text(self, accept: str = "text/plain") -> str:
        """The metrics page."""
        return httpx.get(f"{self.url}/metrics", headers={"Accept": accept}, timeout=30).text

    def samples(self) -> dict[Series, float]:
        """Every sample of the metrics page."""
        return {
            (s.name, tuple(sorted(s.labels.items()))): s.value
            for family in text_string_to_metric_families(self.text())
            for s in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """One sample, or ``None``."""
        return self.samples().get(series(name, **labels))

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of *name* that carry at least *labels*."""
        wanted = set(labels.items())
        return sum(v for (n, ls), v in self.samples().items() if n == name and wanted <= set(ls))

    def wait_for(
        self, name: str, wanted: float | Callable[[float], bool], *, seconds: float = 60.0, **labels: str
    ) -> float:
        """Waits for a sample to have a value, and returns it."""

        def found() -> tuple[float] | None:
            value = self.value(name, **labels)
            if value is None:
                return None
            good = wanted(value) if callable(wanted) else value == wanted
            return (value,) if good else None

        got = wait_until(found, what=f"{name}{labels} == {wanted}\n{self.log()[-2000:]}", seconds=seconds)
        assert isinstance(got, tuple)
        return float(got[0])

    def __enter__(self) -> Exporter:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        status = self.stop()
        if kind is None:
            assert status in (0, -9), f"exit status {status}:\n{self.log()}"


@contextlib.contextmanager
def exporter(directory: Path, **keywords: object) -> Iterator[Exporter]:
    """A running exporter that is ended afterwards."""
    with Exporter(directory, **keywords) as running:  # type: ignore[arg-type]
        yield running
