"""`reports prune`."""

from __future__ import annotations

from pathlib import Path

from tests.support.reports.commands import answer, call
from tests.support.reports.history import ordinary, take_in
from tests.support.rigs.reports import query


def test_prune_asks_tells_and_deletes(tmp_path: Path):
    """Without a yes nothing goes; afterwards windows and tables agree, and nothing is fetched again."""
    path = tmp_path / "h.sqlite3"
    take_in(path, ordinary())

    dry = answer(path, "prune", "--older-than", "0s", "--dry-run")
    refused = call(path, "prune", "--older-than", "0s")
    some = answer(path, "prune", "--older-than", "0s", "--domain", "bücher.test", "--yes")
    rest = answer(path, "prune", "--older-than", "0s", "--yes")

    assert (dry["reports"], dry["rejected"]) == (93, 1)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert (some["reports"], some["rejected"]) == (1, 0)
    assert (rest["reports"], rest["rejected"]) == (92, 1)
    for table in ("report", "report_raw", "dmarc_record", "dmarc_day", "dmarc_reporter", "tls_policy", "arf_feedback"):
        assert query(path, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608
    assert query(path, "SELECT count(*) FROM seen") == [(94,)]
