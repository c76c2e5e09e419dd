"""An operator's own file of thresholds: read, or refused as a setting."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.web.verdict.thresholds import MAX_BYTES, load_thresholds, shipped

GOOD = {"alerts": {"StalwartDown": {"severity": "page", "for": 120, "above": 1.5}}, "slo": {"objective": 0.99}}


def problem_of(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_thresholds(path)
    (problem,) = caught.value.problems
    return problem


def test_thresholds_of_ones_own_are_read(tmp_path: Path):
    """They replace the shipped ones as a whole."""
    path = tmp_path / "thresholds.json"
    path.write_text(json.dumps(GOOD))

    read = load_thresholds(path)

    down = read.get("StalwartDown")
    assert down is not None
    assert (down.severity, down.for_seconds, down["above"]) == ("page", 120.0, 1.5)
    assert read.get("StalwartQueueStuck") is None
    assert shipped().get("StalwartQueueStuck") is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe{}",
        json.dumps(GOOD).replace("1.5", "9" * 400).encode(),
        json.dumps(GOOD).replace("1.5", "NaN").encode(),
        json.dumps(GOOD).replace("120", "Infinity").encode(),
        json.dumps(GOOD).encode() + b" " * MAX_BYTES,
    ],
    ids=["empty", "list", "no member", "nested", "no text", "huge", "NaN", "endless", "too long"],
)
def test_any_other_content_is_a_problem_with_the_path(tmp_path: Path, content: bytes):
    """Nothing else than an error of the settings comes of it."""
    path = tmp_path / "thresholds.json"
    path.write_bytes(content)

    problem = problem_of(path)

    assert problem.startswith(f"web.thresholds_file: {path} ")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path):
    """Reading one would block the start for ever."""
    path = tmp_path / "thresholds.json"
    os.mkfifo(path)

    assert "not a regular file" in problem_of(path)
