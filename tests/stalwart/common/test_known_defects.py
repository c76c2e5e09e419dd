"""Which releases have which known defects, and that each one has a section that says what to do."""

from __future__ import annotations

import re

import pytest

from exporter.collectors import families as f
from exporter.collectors.health import IdentitySource
from exporter.model.server import Generation, ServerIdentity
from exporter.stalwart.common.known_defects import KNOWN_DEFECTS, PAGE, defects_of
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from tests.support.paths import ROOT


def ids(version: str, *, conditional: bool = False) -> set[str]:
    """The defects of a version."""
    return {defect.id for defect in defects_of(version, conditional=conditional)}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.10.0", {"retry_expiry", "frozen_gauges", "histogram_buckets", "tls_report_loop"}),
        ("0.12.4", {"retry_expiry", "frozen_gauges", "queue_resume"}),
        ("0.13.3", {"retry_ignored", "frozen_gauges", "queue_resume"}),
        ("0.15.5", {"retry_ignored", "queue_resume"}),
        ("v0.16.8", {"retry_ignored", "queue_resume", "counter_names"}),
        ("0.16.9", {"queue_resume", "counter_names"}),
        ("0.16.12", {"queue_resume"}),
        ("0.16.13", set()),
        ("0.16.18", set()),
        ("1.0.0", set()),
    ],
)
def test_a_release_has_the_defects_between_their_beginning_and_their_end(version: str, expected: set[str]) -> None:
    """The release that fixes one does not have it."""
    assert ids(version) == expected


@pytest.mark.parametrize("version", ["", "unknown", "0.16", "0.16.1.2", "0.16.x", "²0.16.1", "99999999.1.1"])
def test_what_is_no_version_has_no_defect(version: str) -> None:
    """Such as that of a server that does not disclose it."""
    assert ids(version, conditional=True) == set()


def test_a_condition_keeps_a_defect_out_of_the_metric() -> None:
    """Since it cannot be seen whether it holds; who asks for all is told."""
    assert "queue_locks" not in ids("0.16.15")
    assert "queue_locks" in ids("0.16.15", conditional=True)
    assert "webhook_event_ids" in ids("0.15.5", conditional=True)


def test_each_defect_has_a_section_and_a_source() -> None:
    """With the version that fixes it, as in the table of the page."""
    page = (ROOT / PAGE).read_text()

    for defect in KNOWN_DEFECTS:
        assert re.search(rf"^## {defect.id}$", page, re.MULTILINE), defect.id
        row = next(line for line in page.splitlines() if line.startswith(f"| [`{defect.id}`]"))
        assert defect.fixed_version in row
        assert bool(row.split("|")[4].strip()) == bool(defect.only_if)
        assert defect.source.startswith("https://github.com/stalwartlabs/stalwart/")
        assert defect.since < defect.fixed_in
    assert len(re.findall(r"^## ", page, re.MULTILINE)) == len(KNOWN_DEFECTS) == len({d.id for d in KNOWN_DEFECTS})


def test_the_metric_follows_the_version() -> None:
    """A series for each defect of the version that runs, and none after the upgrade."""
    board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)

    def shown(version: str) -> dict[tuple[str, ...], float]:
        board.identity = ServerIdentity(generation=Generation.JMAP, version=version)
        return dict(dict(IdentitySource(board).collect())[f.KNOWN_DEFECT])  # type: ignore[arg-type]

    assert shown("0.16.12") == {("queue_resume", "0.16.13"): 1}
    assert shown("0.16.13") == {}
