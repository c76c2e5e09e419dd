"""The syntax of SPF records and their macros, as RFC 7208 has them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.checks.spf.macros import Sender, expand
from exporter.checks.spf.syntax import SpfSyntaxError, is_spf, parse_spf

SENDER = Sender(address="192.0.2.3", domain="email.example.com", helo="mx.example.org")


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1",
        "v=spf1 ",
        "V=SPF1 -ALL",
        "v=spf1 mx ra=postmaster -all",
        "v=spf1 a mx/24 a:example.org//64 mx:example.org/24//64 -all",
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all",
        "v=spf1 include:_spf.example.org ?exists:%{ir}.%{v}._spf.%{d2} -all",
        "v=spf1 redirect=_spf.example.org exp=explain._spf.%{d}",
        "v=spf1 include:%{d1r+-}.example.org ptr ptr:example.org -all",
        "v=spf1 unknown-modifier=anything%%%_ -all",
        "v=spf1 a:example.org. -all",
    ],
)
def test_valid_records(text: str) -> None:
    """Every form of the grammar, unknown modifiers included."""
    assert is_spf(text)

    parse_spf(text)


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 ipv4:192.0.2.1",
        "v=spf1 ip4:192.0.2",
        "v=spf1 ip4:2001:db8::1",
        "v=spf1 ip6:192.0.2.1",
        "v=spf1 ip4:192.0.2.0/33",
        "v=spf1 ip4:192.0.2.0/024",
        "v=spf1 ip6:fe80::1%eth0",
        "v=spf1 a/33",
        "v=spf1 a//129",
        "v=spf1 include",
        "v=spf1 include:",
        "v=spf1 include:localhost",
        "v=spf1 include:example.123",
        "v=spf1 exists:%{x}.example.org",
        "v=spf1 exists:%{d0}.example.org",
        "v=spf1 exists:%(d).example.org",
        "v=spf1 exists:%{c}.example.org",
        "v=spf1 all:example.org",
        "v=spf1 all.",
        "v=spf1 redirect=a.example.org redirect=b.example.org",
        "v=spf1 redirect=",
        "v=spf1 mx, -all",
        "v=spf1 mx;-all",
        "v=spf1 --all",
        "v=spf1 \u00e9",
        "v=spf1 mx\t-all",
    ],
)
def test_invalid_records(text: str) -> None:
    """Mistakes that make receivers ignore the record."""
    with pytest.raises(SpfSyntaxError):
        parse_spf(text)


@pytest.mark.parametrize("text", ["v=spf10 -all", "v=spf", "spf1", " v=spf1 -all", "v=spf1-all"])
def test_other_texts_are_no_spf_records(text: str) -> None:
    """Verification records of other services, and misspelt ones."""
    assert not is_spf(text)


@pytest.mark.parametrize(
    ("spec", "expanded"),
    [
        ("%{s}", "postmaster@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "postmaster"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{i}._spf", "192.0.2.3._spf"),
        ("%{h}", "mx.example.org"),
        ("a%%b%_c%-d", "a%b c%20d"),
    ],
)
def test_macros(spec: str, expanded: str) -> None:
    """The examples of RFC 7208, section 7.4, for a postmaster."""
    assert expand(spec, "email.example.com", SENDER) == expanded


def test_an_ipv6_address_is_dotted_by_nibbles() -> None:
    """As in the same section."""
    sender = Sender(address="2001:db8::cb01", domain="email.example.com", helo="")

    assert expand("%{ir}.%{v}._spf.%{d2}", "email.example.com", sender) == (
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    )


@given(
    st.text(st.characters(max_codepoint=255), max_size=120), st.sampled_from(["a:", "mx:", "include:", "exists:", ""])
)
def test_any_text_is_a_record_or_an_error(text: str, mechanism: str) -> None:
    """Nothing else is raised, and what is valid can be expanded."""
    with contextlib.suppress(SpfSyntaxError):
        for term in parse_spf(f"v=spf1 {mechanism}{text}").mechanisms:
            assert len(expand(term.target, "example.test", SENDER)) <= 255
