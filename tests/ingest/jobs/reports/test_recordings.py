"""The reports of recorded servers come out with the sums that an independent reader found in them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.support.paths import RECORDINGS
from tests.support.replays.rest import replay
from tests.support.rigs.reports import Shown, check_sums, rig

REPORTS = re.compile(r"stalwart_(reports|dmarc|tls_report|arf)_")


def facts(recording: str) -> Shown:
    """What must be shown of reports."""
    rows = json.loads((RECORDINGS / recording / "facts.json").read_text())
    return {(row["name"], tuple(row["labels"].items())): row["value"] for row in rows if REPORTS.match(row["name"])}


@pytest.mark.parametrize("recording", ["rest-0.12.5", "rest-0.15.5"])
def test_a_recorded_server_comes_out_with_its_facts(tmp_path: Path, recording: str):
    """Every fact is shown, no other counter is above zero, and each report is asked for once."""
    path = tmp_path / "history.sqlite3"

    async def take_in() -> tuple[Shown, Shown]:
        async with rig(url, path) as first:
            await first.run()
            await first.run()
            before = first.shown()
        async with rig(url, path) as second:
            await second.run()
            return before, second.shown()

    with replay(recording) as (url, server):
        shown, after_a_restart = asyncio.run(take_in())

    wanted = facts(recording)
    assert len(wanted) >= 19
    assert {key: shown.get(key) for key in wanted} == wanted
    counters = {key: value for key, value in shown.items() if key[0].endswith("_total") and value}
    assert counters == {key: value for key, value in wanted.items() if value}
    assert after_a_restart == shown
    fetched = [asked.path for asked in server.asked if len(asked.path.split("/")) == 5]
    assert len(fetched) == len(set(fetched)) == 9
    check_sums(path)
