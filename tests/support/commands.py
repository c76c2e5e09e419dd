"""The command line as processes: commands that end, and an exporter on whatever port it was given by the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.exporter import wait_until

ONE_SERVER = {
    "STALWART_EXPORTER_URL": "http://127.0.0.1:9",
    "STALWART_EXPORTER_USERNAME": "watcher",
    "STALWART_EXPORTER_PASSWORD": "secret",
}
"""A server that nobody runs: enough for an exporter whose own pages are looked at."""


def environment(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process under test: one server, a history below *directory*, loopback and a free port."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("STALWART_EXPORTER_")},
        **ONE_SERVER,
        "STALWART_EXPORTER_LISTEN": "127.0.0.1:0",
        "STALWART_EXPORTER_STORE_PATH": str(directory / "history.sqlite3"),
        "PYTHONWARNINGS": "error",
        # Nothing outside of the machine is asked, unless a test brings a DNS server of its own.
        "STALWART_EXPORTER_CHECKS__ENABLED": "false",
        **environ,
    }


def command_line(*arguments: str, descriptors: int | None = None, prefix: Sequence[str] = ()) -> list[str]:
    """The command, with at most so many open files where *descriptors* says, run by the command *prefix*."""
    limit = [] if descriptors is None else ["prlimit", f"--nofile={descriptors}:{descriptors}"]
    return [*prefix, *limit, sys.executable, "-m", "exporter", *arguments]


def run_command(
    directory: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        command_line(*arguments),
        env=environment(directory, environ or {}),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
    )


class Running:
    """
    An exporter that runs.

    Attributes:
        process: Its process.
        port: Where it listens.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        wait_until(self._started, what="the exporter has started", seconds=300)
        self.port = int(str(self.event("exporter.started")["port"]))

    def _started(self) -> bool:
        status = self.process.poll()
        assert status is None, f"ended with {status}:\n{self.log()}"
        return bool(self.events("exporter.started"))

    def log(self) -> str:
        """Everything it has written."""
        return self._log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, object]]:
        """Its log events of a name."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if line["event"] == name]

    def wait_for_event(self, name: str) -> dict[str, object]:
        """Waits for a log event of a name, and returns the latest."""
        wait_until(lambda: self.events(name), what=f"the event {name}", seconds=120)
        return self.event(name)

    def event(self, name: str) -> dict[str, object]:
        """The latest log event of a name."""
        return self.events(name)[-1]


@contextlib.contextmanager
def running(
    directory: Path,
    arguments: Sequence[str] = ("run",),
    *,
    environ: Mapping[str, str] | None = None,
    descriptors: int | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Running]:
    """An exporter started with *arguments*, ended afterwards; it must still be running then and end with status 0."""
    log = directory / "exporter.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command_line(*arguments, descriptors=descriptors, prefix=prefix),
            env=environment(directory, environ or {}),
            cwd=directory,
            stdout=out,
            stderr=out,
        )
    try:
        exporter = Running(process, log)
        yield exporter
        assert process.poll() is None, exporter.log()
        process.terminate()
        assert process.wait(60) == 0, exporter.log()
    finally:
        process.kill()
        process.wait()
