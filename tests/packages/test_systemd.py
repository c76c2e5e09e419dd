"""The units for systemd, judged by systemd itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

UNITS = ROOT / "deploy" / "systemd"

MOST_EXPOSED = 2.0
"""Of ten: what `systemd-analyze security` calls OK."""


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, for a program that exists here."""
    copies = []
    for unit in sorted(UNITS.iterdir()):
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace("/usr/bin/stalwart-exporter", "/bin/true"))
        copies.append(copy)
    return copies


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs systemd-analyze."""
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, env={"SYSTEMD_COLORS": "0"}
    )


def test_systemd_accepts_the_units(units: list[Path]):
    """Without a word."""
    done = analyze("verify", "--man=no", *map(str, units))

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_service_is_confined(units: list[Path]):
    """What the program could reach is rated below `MOST_EXPOSED`."""
    (service,) = [unit for unit in units if unit.suffix == ".service"]
    done = analyze("security", "--offline=true", "--no-pager", str(service))

    rated = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert rated is not None, done.stdout + done.stderr
    assert float(rated[1]) < MOST_EXPOSED


def test_a_wrong_configuration_is_not_tried_again():
    """The unit's statuses are those of `run`: 2 is for what no restart can mend."""
    text = (UNITS / "stalwart-exporter.service").read_text()

    assert "RestartPreventExitStatus=2" in text
    assert "Type=notify" in text
    assert "WatchdogSec=" in text
