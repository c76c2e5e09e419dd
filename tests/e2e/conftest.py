"""Servers and exporters that the tests of one module share: a process takes longer to start than most tests take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.standin import Scene, enterprise, fleet, wait_good


@pytest.fixture(scope="module")
def licensed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An enterprise server that keeps traces and metrics, watched."""
    with fleet(tmp_path_factory.mktemp("licensed"), {"mx1": enterprise()}) as scenes:
        wait_good(scenes.values(), "queue", "logs", "traces", "metrics", "outgoing", "native", "failed")
        yield scenes["mx1"]
