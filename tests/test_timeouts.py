"""How long a test may take before it is taken to hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

TESTS = """
import pytest

@pytest.fixture
def seconds(request):
    mark = request.node.get_closest_marker("timeout")
    return mark and mark.args[0]

def test_ordinary(seconds):
    assert seconds is None

@pytest.mark.slow
def test_slow(seconds):
    assert seconds == 1800

@pytest.mark.slow
@pytest.mark.timeout(7)
def test_slow_with_its_own(seconds):
    assert seconds == 7
"""


def test_slow_tests_have_half_an_hour_unless_they_say_something_else(tmp_path: Path):
    """All others keep the limit of pyproject.toml."""
    (tmp_path / "test_marks.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q"]

    ran = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout
