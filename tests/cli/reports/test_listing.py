"""`reports list`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.reports.commands import answer, call


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 93),
        (["--domain", "EXAMPLE.test."], 92),
        (["--domain", "bücher.test"], 1),
        (["--domain", "xn--bcher-kva.test"], 1),
        (["--domain", "other.test"], 1),
        (["--kind", "tls"], 1),
        (["--kind", "arf", "--result", "auth-failure"], 1),
        (["--result", "abuse"], 0),
        (["--reporter", "QUIET"], 30),
        (["--kind", "dmarc", "--result", "failed"], 60),
        (["--result", "failure", "--kind", "tls"], 1),
        (["--server", "mx1"], 93),
        (["--server", "mx2"], 0),
        (["--since", "10d", "--until", "5d", "--kind", "dmarc"], 5),
        (["--limit", "7"], 7),
    ],
)
def test_list_shows_what_the_filters_ask_for(history: Path, options: Sequence[str], count: int):
    """Each filter by itself and together, domains in any spelling."""
    rows = answer(history, "list", "--limit", "1000", *options)

    assert len(rows) == count
    assert rows == sorted(rows, key=lambda row: (row["received_at"], row["id"]), reverse=True)


def test_list_knows_the_rejected_ones_and_show_prints_them(history: Path):
    """With the reason, and with the raw answer."""
    rows = answer(history, "list", "--rejected")
    whole = answer(history, "show", f"rejected-{rows[0]['id']}")
    raw = call(history, "show", f"rejected-{rows[0]['id']}", "--raw")

    assert [row["reason"] for row in rows] == ["data.report.record[0].row.count: Expected `int` >= 0"]
    assert json.loads(whole["raw"])["data"]["report"]["report_metadata"]["report_id"] == "bad"
    assert json.loads(raw.stdout) == json.loads(whole["raw"])
