"""Generated examples can be had again: their number is fixed and their seed is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

PROPERTY = """
from hypothesis import given, strategies as st
@given(st.integers())
def test_numbers(number):
    with open({drawn!r}, "a") as file:
        file.write(f"{{number}}\\n")
"""


def numbers(folder: Path, *options: str, profile: str, workers: int = 0) -> tuple[list[str], str]:
    """The numbers that a property is tried with, and the seed that was printed."""
    folder.mkdir()
    drawn = folder / "drawn"
    (folder / "test_numbers.py").write_text(PROPERTY.format(drawn=str(drawn)))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", str(workers)]
    ran = subprocess.run(
        [*command, "--rootdir", str(folder), *options, str(folder)],
        cwd=ROOT,
        env={**os.environ, "HYPOTHESIS_PROFILE": profile},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = re.search(rf"profile {profile}, repeat with --hypothesis-seed=([0-9]+)", ran.stdout)
    assert said, ran.stdout
    return drawn.read_text().split(), said[1]


def test_the_printed_seed_repeats_the_examples(tmp_path: Path):
    """Also where the tests run in other processes; another run has other examples."""
    first, seed = numbers(tmp_path / "first", profile="ci")
    again, printed = numbers(tmp_path / "again", f"--hypothesis-seed={seed}", profile="ci", workers=1)
    other, other_seed = numbers(tmp_path / "other", profile="developer")

    assert len(first) == len(other) == 100
    assert (again, printed) == (first, seed)
    assert other_seed != seed
    assert other != first
