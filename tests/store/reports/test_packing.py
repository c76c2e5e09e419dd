"""Raw reports, packed and unpacked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.store.reports.packing import pack, unpack
from tests.support.reports import wire

HUGE = b"\x28\xb5\x2f\xfd\xe0" + (2**60).to_bytes(8, "little") + b"\x01\x00\x00"
"""A Zstandard frame that claims to hold more than any memory."""


@given(st.binary(max_size=5000) | st.text(max_size=500).map(lambda text: wire.body(wire.dmarc(text))))
def test_what_is_packed_comes_back(raw: bytes):
    """Any bytes, report or not."""
    assert unpack(pack(raw)) == raw


@pytest.mark.parametrize("report", [wire.dmarc(), wire.tls(), wire.arf()])
def test_a_report_takes_a_third_of_its_size_at_most(report: object):
    """Each kind is much like the dictionary."""
    raw = wire.body(report)

    assert len(pack(raw)) * 3 < len(raw)


def test_what_zlib_packed_is_still_read():
    """Files that were begun with zlib keep their rows as they are."""
    column = bytes.fromhex("58a432529a51c3555b3aa45624e61600ab85bcd412b40a122603ac9ff0d68ec8ea6a6b0192222509")

    assert unpack(column) == (
        b'{"data":{"from":"noreply@example.net","to":["dmarc@example.org"],"subject":"Report domain: example.org"}}'
    )


@pytest.mark.parametrize("column", [b"", b"garbage", pack(b"x" * 100)[:-6], pack(b"x" * 100)[:-1] + b"!", HUGE])
def test_what_was_not_packed_here_is_refused(column: bytes):
    """A damaged column is a `ValueError`, not a wrong report."""
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack(column)
