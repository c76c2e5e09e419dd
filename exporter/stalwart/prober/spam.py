"""
What the spam filter says about a message.

Contract: Stalwart v0.11-v0.15, ``POST /api/spam-filter/classify``, and v0.16, ``ClassifySpam``;
tests/recordings/ops-0.15.5 and ops-0.16.18. Up to v0.15 spam that is let through is recognised by the header that the
filter would add.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.errors import PayloadError
from exporter.model.posture import SpamProbe, SpamResult
from exporter.stalwart.http.responses import decode_response

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""A text that spam filters take for spam by agreement."""

TEST_DOMAIN = "dbltest.com"
"""Spamhaus lists this domain for tests."""

_SCORE_HEADER = re.compile(r"^X-Spam-Score: (ham|spam)\b", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """
    How the messages would have come.

    Attributes:
        address: The client's IP address.
        helo: The name it greets with.
    """

    sender: str
    recipient: str
    address: str
    helo: str


_CLEAN = "Hello,\r\n\r\nthe minutes are in the usual place.\r\n\r\nRegards\r\n"
_SPAM = f"{GTUBE}\r\n\r\nhttp://{TEST_DOMAIN}/\r\n"


def message_of(kind: str, envelope: Envelope, *, date: str) -> str:
    """
    Return the message of this *kind*, ``clean`` or ``spam``, as it would arrive at *date* (RFC 5322).

    The spam has what the rules that the server comes with recognise: the mark of another filter, and a listed domain.
    """
    subject, text = ("Minutes of the meeting", _CLEAN) if kind == "clean" else ("Test of the spam filter", _SPAM)
    domain = envelope.sender.rpartition("@")[2]
    head = (
        f"From: Probe <{envelope.sender}>",
        f"To: {envelope.recipient}",
        f"Subject: {subject}",
        f"Date: {date}",
        f"Message-ID: <probe-{kind}@{domain}>",
        *(["X-Spam-Flag: YES"] if kind == "spam" else []),
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
    )
    return "\r\n".join([*head, "", text])


def rest_request(message: str, envelope: Envelope) -> Mapping[str, Any]:
    """Return the body for servers up to v0.15."""
    return {
        "message": message,
        "remoteIp": envelope.address,
        "ehloDomain": envelope.helo,
        "authenticatedAs": None,
        "isTls": True,
        "envFrom": envelope.sender,
        "envFromFlags": 0,
        "envRcptTo": [envelope.recipient],
    }


def jmap_request(message: str, envelope: Envelope) -> Mapping[str, Any]:
    """Return the action's members for servers from v0.16 on."""
    return {
        "message": message,
        "remoteIp": envelope.address,
        "ehloDomain": envelope.helo,
        "isTls": True,
        "envFrom": envelope.sender,
        "envRcptTo": {envelope.recipient: True},
    }


class _Disposition(msgspec.Struct):
    action: str
    value: str | None = None


class _Classified(msgspec.Struct):
    score: float
    disposition: _Disposition


class _Data(msgspec.Struct):
    data: _Classified


class Verdict(msgspec.Struct):
    """The result of ``ClassifySpam``."""

    score: float
    result: str


_rest = msgspec.json.Decoder(_Data)


def parse_rest(body: bytes, kind: str) -> SpamProbe:
    """Return the result of a request for a message of this *kind*. Raises `PayloadError`."""
    found = decode_response(_rest, body).data
    result = found.disposition.action
    if result == "allow":
        header = _SCORE_HEADER.search(found.disposition.value or "")
        result = "unknown" if header is None else header[1].lower()
    return _probe(kind, found.score, result)


def parse_verdict(verdict: Verdict, kind: str) -> SpamProbe:
    """Return the result of an action for a message of this *kind*. Raises `PayloadError`."""
    return _probe(kind, verdict.score, verdict.result)


def _probe(kind: str, score: float, result: str) -> SpamProbe:
    if not math.isfinite(score):
        raise PayloadError("score: not a number")
    known = result in SpamResult._value2member_map_
    return SpamProbe(message=kind, score=score, result=SpamResult(result) if known else SpamResult.UNKNOWN)
