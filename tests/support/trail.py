"""What the trail in the history of a running exporter holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.support.standin import Scene


def kept(scene: Scene) -> dict[tuple[str, ...], float]:
    """The outcomes that the trail keeps of a server, by outcome, reason and code."""
    with closing(sqlite3.connect(f"file:{scene.exporter.directory / 'history.sqlite3'}?mode=ro", uri=True)) as history:
        rows = history.execute(
            "SELECT outcome, reason, code, count(*) FROM trail_outcome WHERE server = ? GROUP BY 1, 2, 3", (scene.name,)
        ).fetchall()
    return {(outcome, reason, code): float(count) for outcome, reason, code, count in rows}
