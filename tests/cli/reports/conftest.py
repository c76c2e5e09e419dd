"""What the tests of reports share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.reports.history import ordinary, take_in


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ordinary history, to be read only."""
    path = tmp_path_factory.mktemp("history") / "h.sqlite3"
    take_in(path, ordinary())
    return path
