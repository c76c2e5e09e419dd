"""Domain names from strangers: one spelling to store, a harmless one to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domains import domain_name, shown_domain


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Second.Example.TEST", "second.example.test"),
        ("example.test.", "example.test"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("".join(chr(ord(c) + 0xFEE0) for c in "example") + ".test", "example.test"),
        ("日本語。jp", "xn--wgv71a119e.jp"),
        ("_dmarc.example.test", "_dmarc.example.test"),
        ("192.0.2.1", None),
        ("::1", None),
        ("", None),
        (".", None),
        ("a..b", None),
        ("-a.test", None),
        ("a b.test", None),
        ("user@example.test", None),
        ("<script>alert(1)</script>", None),
        ("a\x1b[31m.test", None),
        ("a\u202eb.test", None),
        ("a\x00b.test", None),
        ("\ud800.test", None),
        ("a" * 64 + ".test", None),
        ("ü" * 63 + ".test", None),
        (".".join(["abcdefgh"] * 40), None),
    ],
)
def test_a_name_has_one_stored_spelling_or_is_no_name(text: str, name: str | None):
    """Lower case, A-labels, no final dot; what DNS cannot hold is none."""
    assert domain_name(text) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("example.test", "example.test"),
        ("xn--bcher-kva.example", "bücher.example (xn--bcher-kva.example)"),
        ("xn--e1afmkfd.xn--p1ai", "пример.рф (xn--e1afmkfd.xn--p1ai)"),
        ("xn--wgv71a119e.jp", "日本語.jp (xn--wgv71a119e.jp)"),
        # Latin and Cyrillic in one label, right-to-left script, not canonical, not punycode.
        ("xn--ypal-43d9g.com", "xn--ypal-43d9g.com"),
        ("xn--4dbcd.com", "xn--4dbcd.com"),
        ("xn--abc-.com", "xn--abc-.com"),
        ("xn--999999999.com", "xn--999999999.com"),
    ],
)
def test_a_name_is_shown_readable_only_where_that_misleads_nobody(name: str, shown: str):
    """Mixed scripts and writing from right to left stay as they are stored."""
    assert shown_domain(name) == shown


@given(st.text(max_size=300))
def test_whatever_is_a_name_is_ascii_stable_and_shown_printable(text: str):
    """Storing what is stored changes nothing, and nothing that is shown can move a cursor."""
    name = domain_name(text)

    if name is not None:
        assert name.isascii()
        assert name.isprintable()
        assert domain_name(name) == name
        assert shown_domain(name).isprintable()
        assert name in shown_domain(name)
