"""The parts of sentences; untrusted texts, of servers, senders and clients, are shortened and made printable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from exporter.model.trail import HIDDEN
from exporter.model.trail_event import NULL_SENDER
from exporter.printable import printable, shortened

ADDRESS_LENGTH = 100
QUOTE_LENGTH = 160
NAMED = 3
"""The most recipients that a sentence names."""

_OS_ERROR = re.compile(r" \(os error [0-9]{1,5}\)$")
_ERROR_FOR = re.compile(r"(?:Error|(?:Temporary|Permanent) Failure)(?: for \S{1,255})?: ")
_REPLY = re.compile(r"(?:Unexpected (?:SMTP )?[Rr]esponse(?: for [^:]{0,300}(?::<[^>]{0,320}>)?)?: )?Code: ([0-9]{3})")
_ENHANCED = re.compile(r"(?:, Enhanced code: ([0-9.]{5,11}))?, Message: ", re.DOTALL)
_OUR_WORDS = re.compile(r"(?:I/O Error|DNS lookup failed|DNS Error|Connection failed|TLS [Ee]rror): ")


def clock(at: datetime, now: datetime) -> str:
    """Format a time: ``10:16:37 UTC``, with the date unless it is today's."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    return at.strftime("%H:%M:%S UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S UTC")


def distance(at: datetime, now: datetime) -> str:
    """Format how far away a time is: ``in 3 min``, ``2 h ago``."""
    seconds = round((at - now).total_seconds())
    return f"in {length(seconds)}" if seconds >= 0 else f"{length(-seconds)} ago"


def length(seconds: int) -> str:
    """Format a duration in its largest unit: ``20 s``, ``3 min``, ``5 h``, ``4 days``."""
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def quoted(text: str) -> str:
    """Return an untrusted text in quotation marks, of which it has none itself; empty if there is nothing to quote."""
    plain = _OS_ERROR.sub("", " ".join(text.split())).removesuffix(".")
    clean = shortened(printable(plain), QUOTE_LENGTH).replace('"', "'")
    return f'"{clean}"' if clean else ""


def name(text: str) -> str:
    """Return an untrusted name, such as a host or an account, for a sentence."""
    return shortened(printable(text, "?"), ADDRESS_LENGTH)


def person(address: str, unknown: str = "an unknown address") -> str:
    """Return an address for a sentence."""
    if address == NULL_SENDER:
        return "the mail system"
    if address == HIDDEN:
        return "another domain"
    if address.startswith("@"):
        return f"an address at {name(address[1:])}"
    return name(address) if address else unknown


def people(addresses: Sequence[str]) -> str:
    """Return a list of addresses: up to `NAMED` of them by name."""
    named = [person(one) for one in dict.fromkeys(addresses)]
    if len(named) <= NAMED:
        return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return f"{', '.join(named[:NAMED])} and {len(named) - NAMED} more"


def counted(count: int, one: str) -> str:
    """Format a number and its noun: ``1 recipient``, ``2 recipients``."""
    return f"{count} {one if count == 1 else one + 's'}"


def reply(code: str, text: str) -> str:
    """
    Return a reply or an error as it was given: ``550 5.1.1 "No such user"``, or ``"Connection refused"``.

    Of the server's own words around it nothing is left. Empty if neither a code nor a text is known.
    """
    entity = _ERROR_FOR.match(text)
    text = text[entity.end() :] if entity else text
    found = _REPLY.match(text)
    if found is None:
        ours = _OUR_WORDS.match(text)
        parts = [code, quoted(text[ours.end() :] if ours else text)]
        return " ".join(part for part in parts if part)
    rest = text[found.end() :]
    enhanced = _ENHANCED.match(rest)
    extra, message = (enhanced[1] or "", rest[enhanced.end() :]) if enhanced else ("", "")
    return " ".join(part for part in (found[1], extra, quoted(message)) if part)


def enhanced_code(text: str) -> str:
    """Return the enhanced status code in a reply, such as ``5.1.1``; empty if there is none."""
    found = re.search(r"(?:^|[ :])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])", text)
    return found[1] if found else ""
