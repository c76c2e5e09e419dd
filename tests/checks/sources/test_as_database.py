"""Autonomous systems from a local database: any of the usual ones, and no harm from one that is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.checks.sources.as_database import AsDatabase, AutonomousSystem
from tests.support.as_database import database

RECORDS = {
    "192.0.2.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example\x1b[31m Networks"},
    "2001:db8::/32": {"asn": "AS64501", "as_name": "Second"},
    "198.51.100.0/24": {"asn": "AS-SET", "name": "no number"},
    "203.0.113.0/24": {"autonomous_system_number": 64502},
}


def test_systems_are_found_by_address(tmp_path: Path):
    """Both families, both spellings; names are printable, and what has no number is unknown."""
    path = tmp_path / "as.mmdb"
    path.write_bytes(database(RECORDS))

    found = AsDatabase(path).look_up(["192.0.2.9", "2001:db8:1::1", "198.51.100.1", "203.0.113.1", "233.252.0.1"])

    assert {address: system.number for address, system in found.items()} == {
        "192.0.2.9": 64500,
        "2001:db8:1::1": 64501,
        "203.0.113.1": 64502,
    }
    assert "\x1b" not in found["192.0.2.9"].name
    assert found["2001:db8:1::1"] == AutonomousSystem(64501, "Second")


def test_a_broken_database_is_logged_once_and_says_nothing(tmp_path: Path):
    """Missing, empty, cut off or spoilt anywhere: no exception, a line on the change, and a new file is used."""
    path, whole = tmp_path / "as.mmdb", database(RECORDS)
    reader = AsDatabase(path)
    with capture_logs() as logs:
        for content in (None, b"", whole[:200], b"\xff" * 500, bytes(1000)):
            if content is not None:
                path.write_bytes(content)
            assert reader.look_up(["192.0.2.9"]) == {}
            assert reader.look_up(["192.0.2.9"]) == {}
        path.write_bytes(whole)
        assert reader.look_up(["192.0.2.9"])["192.0.2.9"].number == 64500
    events = [line["event"] for line in logs]
    assert events[-1] == "as_database.recovered"
    assert 1 <= events.count("as_database.read_failed") <= 5


@pytest.mark.parametrize("place", range(0, 600, 29))
def test_a_spoilt_byte_anywhere_does_no_harm(tmp_path: Path, place: int):
    """What comes out is a system or nothing."""
    whole = bytearray(database(RECORDS))
    place = place * len(whole) // 600
    whole[place] ^= 0xFF
    path = tmp_path / "as.mmdb"
    path.write_bytes(bytes(whole))

    found = AsDatabase(path).look_up(["192.0.2.9", "2001:db8:1::1", "203.0.113.1"])

    assert all(0 < system.number < 2**32 and len(system.name) <= 100 for system in found.values())
    assert os.path.getsize(path) == len(whole)
