"""Receivers that are known to send DMARC reports to every domain that asks for them."""

from __future__ import annotations

from typing import NamedTuple


class Reporter(NamedTuple):
    """
    One receiver.

    Attributes:
        name: In lower case.
        domains: Recipient domains that it reports about; those of its business customers are not known.
        words: Any of these is in the name that its reports bear, in lower case.
        hosts: The names of its mail hosts end with one of these, also for business customers.
    """

    name: str
    domains: tuple[str, ...]
    words: tuple[str, ...]
    hosts: tuple[str, ...] = ()


REPORTERS = (
    Reporter("google", ("gmail.com", "googlemail.com"), ("google",), ("google.com", "googlemail.com")),
    Reporter(
        "microsoft",
        ("outlook.com", "hotmail.com", "live.com", "msn.com", "hotmail.co.uk", "hotmail.fr", "outlook.de"),
        ("outlook", "microsoft", "hotmail"),
        ("protection.outlook.com", "mx.microsoft"),
    ),
    Reporter(
        "yahoo",
        ("yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "ymail.com", "aol.com"),
        ("yahoo", "aol"),
        ("yahoodns.net",),
    ),
    Reporter("gmx", ("gmx.net", "gmx.de", "gmx.at", "gmx.ch", "gmx.com"), ("gmx", "1und1", "1&1")),
    Reporter("web.de", ("web.de",), ("web.de", "1und1", "1&1")),
    Reporter("mail.ru", ("mail.ru", "bk.ru", "inbox.ru", "list.ru"), ("mail.ru",)),
    Reporter("comcast", ("comcast.net",), ("comcast",)),
    Reporter("seznam", ("seznam.cz", "email.cz"), ("seznam",)),
)
"""Those that operators of public mail servers see in practice."""
