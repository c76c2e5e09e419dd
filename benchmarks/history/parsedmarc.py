"""The peer of the report benchmark, in a virtual environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path

from benchmarks.history.report_windows import SEED_TIME
from benchmarks.traffic.reports import make

PARSEDMARC = "parsedmarc==11.1.0"


PEER = """
import json, sys, time
from parsedmarc import parse_aggregate_report_xml
documents = json.load(sys.stdin)
parse_aggregate_report_xml(documents[0], offline=True)
started = time.perf_counter()
for document in documents:
    parse_aggregate_report_xml(document, offline=True)
print((time.perf_counter() - started) / len(documents) * 1e6)
"""


def parsedmarc(python: Path, reports: int) -> float:
    """Microseconds a report, of the peer parsing."""
    documents = json.dumps(make(reports, now=SEED_TIME, seed=1000).documents)
    done = subprocess.run([python, "-c", PEER], input=documents, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def peer_python() -> Path:
    """The interpreter that has parsedmarc; installed on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "stalwart-exporter" / PARSEDMARC.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PARSEDMARC], check=True)
        (folder / "installed").touch()
    return python
