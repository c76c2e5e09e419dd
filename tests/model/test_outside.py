"""Ports as they stand in the settings."""

from __future__ import annotations

import pytest

from exporter.model.outside import Port, Protocol, parse_port


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("25", Port(25, Protocol.SMTP)),
        (" 4190 ", Port(4190, Protocol.SIEVE)),
        ("smtps:2465", Port(2465, Protocol.SMTPS)),
        ("imap:993", Port(993, Protocol.IMAP)),
    ],
)
def test_a_port_is_read_and_written(text: str, port: Port) -> None:
    """With its protocol where that is not the usual one."""
    assert parse_port(text) == port
    assert parse_port(str(port)) == port


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "2465", "ftp:21", "smtp:", "smtp:x", "-1", "٢٥", "9" * 5000, "0" * 5 + "1" * 5000]
)
def test_anything_else_is_refused(text: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=r"port|protocol"):
        parse_port(text)
