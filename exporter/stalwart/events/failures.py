"""
Classification of failure texts: the class of error and the SMTP reply code.

Contract: Stalwart v0.10-v0.16, in four forms: a recipient's status (``Error for mx.x: Connection failed: ...``), the
same up to v0.12 (``Connection to 'mx.x' failed: ...``), in log and traces (``Temporary Failure for mx.x: ...``), and
the cause of an event, as `cause_text` formats it. Only the server's own words, at the start, are trusted: the remote
server's text follows them.
"""

from __future__ import annotations

import re

from exporter.model.queue import FailureReason

_ENTITY = re.compile(r"(?:Error|(?:Temporary|Permanent) Failure)(?: for .{0,255}?)?: ", re.DOTALL)
_PREFIXES = (
    ("Unexpected response", FailureReason.UNEXPECTED_RESPONSE),
    ("Code: ", FailureReason.UNEXPECTED_RESPONSE),
    ("DNS lookup failed", FailureReason.DNS_ERROR),
    ("Connection failed", FailureReason.CONNECTION_ERROR),
    ("Connection to ", FailureReason.CONNECTION_ERROR),
    ("TLS error", FailureReason.TLS_ERROR),
    ("DANE", FailureReason.DANE_ERROR),
    ("MTA-STS", FailureReason.MTA_STS_ERROR),
    ("Rate limited", FailureReason.RATE_LIMITED),
    ("Too many concurrent", FailureReason.CONCURRENCY_LIMITED),
    ("Concurrency limited", FailureReason.CONCURRENCY_LIMITED),
    ("Queue error", FailureReason.IO_ERROR),
    ("Message expired without any delivery attempts", FailureReason.IO_ERROR),
)

REPLY_CAUSE = "Unexpected SMTP Response"
"""The start of an event's cause if the remote server sent an unexpected reply."""

IO_CAUSE = "I/O Error"
"""The cause of an I/O error: of a session's connection, or, in a recipient's status, of the queue itself."""

_CAUSES = (
    (REPLY_CAUSE, FailureReason.UNEXPECTED_RESPONSE),
    ("DNS Error", FailureReason.DNS_ERROR),
    ("Connection ", FailureReason.CONNECTION_ERROR),
    (IO_CAUSE, FailureReason.CONNECTION_ERROR),
    ("SMTP Authentication ", FailureReason.CONNECTION_ERROR),
    ("Unparseable SMTP Reply", FailureReason.CONNECTION_ERROR),
    ("TLS Error", FailureReason.TLS_ERROR),
    ("Rate Limited", FailureReason.RATE_LIMITED),
    ("Concurrency Limited", FailureReason.CONCURRENCY_LIMITED),
)
_LOGGED_CAUSE = re.compile(
    r'(?:causedBy = )?[A-Z][\w ]{0,60} \(smtp\.error\) \{ details = "(?P<title>[^"]*)"(?:, code = (?P<code>[0-9]{3}))?'
    r'(?:, (?:details|reason) = "(?P<rest>.*))?',
    re.DOTALL,
)
_CODE = re.compile(r"Code: ([0-9]{3})(?![0-9])")
_MESSAGE = ", Message: "
_WITH_CODE = frozenset({FailureReason.UNEXPECTED_RESPONSE, FailureReason.CONNECTION_ERROR, FailureReason.UNKNOWN})


def cause_text(title: str, code: int, reason: str) -> str:
    """Format the cause of an event: the server's title first, the remote server's reply last."""
    if code:
        return f"{title}: Code: {code}{_MESSAGE}{reason}"
    return f"{title}: {reason}" if reason else title


def parse_logged_cause(text: str) -> tuple[str, int]:
    """Parse an event's cause from a log line into its `cause_text` and reply code (or 0); empty if it is not one."""
    found = _LOGGED_CAUSE.match(text)
    if found is None:
        return "", 0
    code, rest = int(found["code"] or 0), found["rest"] or ""
    return cause_text(found["title"], code, rest.rpartition('" }')[0] or rest), code


def classify_failure(text: str) -> tuple[FailureReason, str]:
    """Return the class of error of a failure text, and its three-digit SMTP reply code or an empty string."""
    text = parse_logged_cause(text)[0] or text
    what = _what(text)
    for prefix, reason in (*_PREFIXES, *_CAUSES):
        if what.startswith(prefix):
            return reason, (_first_code(what) if reason in _WITH_CODE else "")
    return FailureReason.UNKNOWN, _first_code(what)


def reply_code(text: str) -> str:
    """Return the SMTP reply code in a failure text, or an empty string."""
    if "Code: " not in text and "code = " not in text:
        return ""  # Nearly every event of a busy stream; classifying its text would cost more than decoding the event.
    return classify_failure(text)[1]


def _what(text: str) -> str:
    """Return a failure text without the host or domain that it concerns."""
    entity = _ENTITY.match(text)
    return text[entity.end() :] if entity else text


def _first_code(what: str) -> str:
    """Return the code before the remote server's message; a number inside the message is not trusted."""
    found = _CODE.search(what.partition(_MESSAGE)[0])
    return found[1] if found else ""
