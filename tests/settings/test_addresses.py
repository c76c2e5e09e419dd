"""Addresses to listen on and to ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.settings.addresses import ListenAddress, host_of, is_loopback, parse_listen, parse_server_url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9787", "127.0.0.1", 9787),
        ("[::1]:9787", "::1", 9787),
        ("[::]:0", "::", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),  # noqa: S104  read, not listened on
        ("localhost:9787", "localhost", 9787),
    ],
)
def test_an_address_to_listen_on_is_read_and_shown_again(text, host, port):
    """Host and port come apart, IPv6 loses its brackets, and showing restores the text."""
    address = parse_listen(text)

    assert (address, str(address)) == (ListenAddress(host, port), text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "9787", "127.0.0.1", "127.0.0.1:", ":9787", "[]:1", "::1:9787", "[127.0.0.1]:1", "127.0.0.1:65536"),
        *("256.0.0.1:1", "a b:1", "http://h:1", "h:-1", "h:1x", 9787, None, ["h", 1]),
    ],
)
def test_what_is_no_address_to_listen_on_is_refused(text):
    """A host without a port, a port without a host and anything else is an error."""
    with pytest.raises(ValueError, match=r"HOST:PORT|host|port|string"):
        parse_listen(text)


def test_a_bare_ipv6_address_is_told_about_brackets():
    """The commonest IPv6 mistake is named."""
    with pytest.raises(ValueError, match="brackets"):
        parse_listen("::1:9787")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://mx1.example.org", "https://mx1.example.org"),
        ("https://mx1.example.org/", "https://mx1.example.org"),
        ("HTTPS://MX1.Example.ORG:8443/", "https://mx1.example.org:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://stalwart_mail:8080", "http://stalwart_mail:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_server_url_gets_one_spelling(text, url):
    """Case and a lone slash make no difference."""
    assert parse_server_url(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mx1.example.org", "start"),
        ("ftp://mx1.example.org", "start"),
        ("https:/mx1.example.org", "start"),
        ("https://", "host"),
        ("https://u:p@mx1.example.org", "credentials"),
        ("https://good.example\\@evil.example", "credentials"),
        ("https://mx1.example.org?", "query"),
        ("https://mx1.example.org/?a=b", "query"),
        ("https://mx1.example.org#x", "query or a fragment"),
        ("https://mx1.example.org/api", "path"),
        ("https://mx1.example.org//", "path"),
        ("https://mx1.example.org:0", "port"),
        ("https://mx1.example.org:", "port"),
        ("https://mx1.example.org:65536", "port"),
        ("https://mx1.example.org:8x", "port"),
        ("https://10.0.0.300", "host"),
        ("https://[::1", "host"),
        ("https://[10.0.0.1]", "host"),
        ("https://-a.example", "host"),
        ("https://a..example", "host"),
        ("https://mx1 .example.org", "space"),
        ("https://mx1.\texample.org", "space"),
        ("https://bücher.example", "xn--"),
        (5, "string"),
    ],
)
def test_what_is_no_server_url_is_refused_with_its_reason(text, reason):
    """Each mistake is named."""
    with pytest.raises(ValueError, match=reason):
        parse_server_url(text)


@given(
    st.one_of(st.text(), st.text().map(lambda rest: f"https://{rest}"), st.text().map(lambda rest: f"http://[{rest}"))
)
def test_any_text_is_a_url_or_a_value_error(text):
    """No text ends in another exception, and an accepted URL is a fixed point with a host."""
    try:
        url = parse_server_url(text)
    except ValueError:
        return

    assert parse_server_url(url) == url
    assert host_of(url)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "mail.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_is_loopback(host):
    """Names and addresses that never leave the machine."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example.org", "10.0.0.1", "::", "192.0.2.1", "mx1", "127.0.0.1.example.org"]
)
def test_other_hosts_are_not_loopback(host):
    """A name that only looks like it is another host."""
    assert not is_loopback(host)
