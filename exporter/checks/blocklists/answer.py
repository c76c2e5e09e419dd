"""
What a list's answer says about an address.

Contract: RFC 5782, sections 2.1 (values in 127.0.0.0/8) and 5 (test entries); the return codes of Spamhaus in
127.255.255.0/24, which other lists have taken over.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from typing import NamedTuple

from exporter.checks.dns.answers import Answer

MOST_CODES = 6
ERROR_NETWORK = ipaddress.ip_network("127.255.255.0/24")
RESULTS = ipaddress.ip_network("127.0.0.0/8")
NO_RESULT = "127.0.0.1"
"""Reserved: parked domains and captive networks answer with it."""

ERRORS = {
    "127.255.255.252": "the list says that its name is misspelt",
    "127.255.255.254": "the list refuses queries through public resolvers; checks.resolver names one of your own",
    "127.255.255.255": "the list refuses the resolver, which has sent it too many queries",
}


class Verdict(Enum):
    """Whether a list has an entry."""

    LISTED = "listed"
    CLEAN = "clean"
    UNKNOWN = "unknown"


class Read(NamedTuple):
    """
    What an answer says.

    Attributes:
        why: The codes of an entry, or why nothing is known.
    """

    verdict: Verdict
    why: str = ""


def read_answer(answer: Answer[str]) -> Read:
    """Return what the A records of an entry's name say."""
    if answer.failed:
        return Read(Verdict.UNKNOWN, answer.why)
    if answer.absent:
        return Read(Verdict.CLEAN)
    for value in answer.values:
        address = ipaddress.ip_address(value)
        if address in ERROR_NETWORK:
            return Read(Verdict.UNKNOWN, ERRORS.get(value, f"the list reports an error ({value})"))
        if value == NO_RESULT or address not in RESULTS:
            return Read(Verdict.UNKNOWN, f"the answer is no result of a list ({value})")
    return Read(Verdict.LISTED, ", ".join(answer.values[:MOST_CODES]))


def entry_name(address: str, zone: str) -> str:
    """Return the name to ask for: ``25.2.0.192.zen.spamhaus.org``."""
    pointer = ipaddress.ip_address(address.partition("%")[0]).reverse_pointer
    return f"{pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}"
