"""
Macros in SPF records.

Contract: RFC 7208, section 7.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote

_MACRO = re.compile(
    r"%(?:(?P<plain>[%_-])|\{(?P<letter>[a-z])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<delimiters>[^}]*)\})", re.I
)
_PLAIN = {"%": "%", "_": " ", "-": "%20"}
MOST_CHARACTERS = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A message as seen by its receiver; *helo* is the name in its greeting."""

    address: str
    domain: str
    helo: str


def needs_sender(spec: str) -> bool:
    """Whether *spec* depends on the message, and not only on the domain that is checked."""
    return any(match["letter"] and match["letter"].lower() != "d" for match in _MACRO.finditer(spec))


def expand(spec: str, domain: str, sender: Sender) -> str:
    """Return *spec* expanded while *domain* is checked, shortened from the left to the length of a name."""
    values = {
        "s": f"postmaster@{sender.domain}",
        "l": "postmaster",
        "o": sender.domain,
        "d": domain,
        "i": _dotted(sender.address),
        "p": "unknown",
        "h": sender.helo or sender.domain,
        "v": "in-addr" if ipaddress.ip_address(sender.address).version == 4 else "ip6",
    }
    name = _MACRO.sub(lambda match: _replacement(match, values), spec).removesuffix(".")
    while len(name) > MOST_CHARACTERS and "." in name:
        name = name.partition(".")[2]
    return name.lower()


def _replacement(match: re.Match[str], values: dict[str, str]) -> str:
    if match["plain"]:
        return _PLAIN[match["plain"]]
    letter = match["letter"]
    parts = re.split(f"[{re.escape(match['delimiters'] or '.')}]", values.get(letter.lower(), ""))
    if match["reverse"]:
        parts.reverse()
    if match["digits"]:
        parts = parts[-int(match["digits"]) :]
    text = ".".join(parts)
    return quote(text, safe="-._~") if letter.isupper() else text


def _dotted(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    return str(parsed) if parsed.version == 4 else ".".join(parsed.exploded.replace(":", ""))
