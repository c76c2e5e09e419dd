"""
How the server authenticates a message.

Contract: Stalwart v0.10.7-v0.15, ``POST /api/troubleshoot/dmarc``, and v0.16, ``TroubleshootDmarc``, which refuses a
request without two members of the result; tests/recordings/ops-0.15.5 and ops-0.16.18. Without a message there is no
DKIM signature, and DMARC rests on SPF. The results are ``pass``, ``fail``, ``softfail``, ``neutral``, ``none``,
``temperror``, ``permerror`` or ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.stalwart.http.responses import decode_response

RESULTS = frozenset({"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"})
ANY_TEXT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    How a message would have come.

    Attributes:
        address: The client's IP address.
        helo: The name it greets with.
    """

    sender: str
    address: str
    helo: str


class _Result(msgspec.Struct):
    # The first up to v0.15, the other from v0.16 on.
    type: str = ""
    kind: str = msgspec.field(name="@type", default="")


class Outcome(msgspec.Struct, rename="camel"):
    """The result of either request."""

    spf_mail_from_result: _Result
    ip_rev_result: _Result
    dmarc_pass: bool


class _Data(msgspec.Struct):
    data: Outcome


_rest = msgspec.json.Decoder(_Data)


def rest_request(sample: Sample) -> Mapping[str, Any]:
    """Return the body for servers up to v0.15."""
    return {"remoteIp": sample.address, "ehloDomain": sample.helo, "mailFrom": sample.sender}


def jmap_request(sample: Sample) -> Mapping[str, Any]:
    """Return the action's members for servers from v0.16 on."""
    return {**rest_request(sample), "spfEhloDomain": ANY_TEXT, "spfMailFromDomain": ANY_TEXT}


def parse_rest(body: bytes) -> Mapping[str, str]:
    """Return the results by part. Raises `PayloadError`."""
    return results_of(decode_response(_rest, body).data)


def results_of(outcome: Outcome) -> Mapping[str, str]:
    """Return the results of ``spf``, ``iprev`` and ``dmarc``."""
    return {
        "spf": _word(outcome.spf_mail_from_result),
        "iprev": _word(outcome.ip_rev_result),
        "dmarc": "pass" if outcome.dmarc_pass else "fail",
    }


def _word(result: _Result) -> str:
    word = (result.type or result.kind).lower()
    return word if word in RESULTS else "unknown"
