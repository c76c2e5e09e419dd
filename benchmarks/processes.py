"""Running the stand-in server and the exporter as processes, and reading what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def stand_in(*arguments: str, script: bool = False) -> Iterator[str]:
    """A stand-in server, with its scripted day or with nothing happening; its URL."""
    quiet = [] if script else ["--no-script"]
    command = [sys.executable, "-m", "exporter.simulator", *quiet, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def exporter(folder: Path, url: str, extra: str = "") -> contextlib.AbstractContextManager[tuple[int, int]]:
    """An exporter that watches *url*; its process id and port."""
    return fleet_exporter(folder, {"mx1": url}, extra=extra)


@contextlib.contextmanager
def fleet_exporter(
    folder: Path, urls: Mapping[str, str], *, every: Mapping[str, float] | None = None, extra: str = ""
) -> Iterator[tuple[int, int]]:
    """An exporter that watches *urls* by name, its collectors *every* so many seconds; its process id and port."""
    config = folder / "config.toml"
    tables = [
        f'[web]\nlisten = "127.0.0.1:0"\n[store]\npath = "{folder / "history.sqlite3"}"\n[checks]\nenabled = false\n'
    ]
    for name, url in urls.items():
        tables.append(
            f'[[servers]]\nname = "{name}"\nurl = "{url}"\nusername = "watcher"\npassword = "lab-watcher-secret"\n'
            f'native_username = "prometheus"\nnative_password = "lab-prometheus-secret"\n{extra}'
        )
        if every:
            tables.append("max_requests_per_minute = 10000\n[servers.intervals]\n")
            tables += [f"{collector} = {seconds}\n" for collector, seconds in every.items()]
    config.write_text("".join(tables))
    with (folder / "exporter.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "run", "--config", str(config)], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _port(folder / "exporter.log") or process.poll() is not None)
        yield process.pid, _port(folder / "exporter.log")
    finally:
        process.terminate()
        process.wait(20)


def _port(log: Path) -> int:
    """Return the port that the exporter says it listens on, 0 while it has not."""
    started = re.search(r'"port": ?([0-9]+)', log.read_text())
    return int(started[1]) if started else 0


def scrape(port: int) -> str | None:
    """The metrics page, or ``None`` while nobody listens."""
    url = f"http://127.0.0.1:{port}/metrics"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())
    return None


def sample(port: int, series: str) -> float | None:
    """One sample, by its name and labels as they are printed."""
    for line in (scrape(port) or "").splitlines():
        if line.startswith(f"{series} "):
            return float(line.rsplit(" ", 1)[1])
    return None


def wait_until(condition: object, *, seconds: float = 600.0, pause_seconds: float = 0.1) -> None:
    """Waits for *condition*."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark waited in vain")
        time.sleep(pause_seconds)


def memory_kib(pid: int, field: str = "VmRSS") -> int:
    """A figure of /proc/PID/status in KiB: ``VmRSS`` now, ``VmHWM`` its peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:"))


def reset_peak(pid: int) -> None:
    """Lets the peak begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
