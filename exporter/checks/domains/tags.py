"""
Records of the form ``tag=value; tag=value``: DKIM keys, DMARC, TLS-RPT and MTA-STS.

Contract: RFC 6376, section 3.2; the other formats are subsets.
"""

from __future__ import annotations

import re

_TAG = re.compile(r"\s*(?P<name>[A-Za-z][A-Za-z0-9_]*)\s*=\s*(?P<value>[^;]*?)\s*", re.DOTALL)


class TagError(ValueError):
    """Not a list of tags; the message says where."""


def parse_tags(text: str) -> dict[str, str]:
    """Return the tags in order, their names in lower case. Raises `TagError`."""
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip():
        parts.pop()
    for part in parts:
        match = _TAG.fullmatch(part)
        if match is None:
            raise TagError(f"not a tag: {part.strip()[:60] or 'empty'}")
        name = match["name"].lower()
        if name in tags:
            raise TagError(f"the tag {name} occurs twice")
        tags[name] = match["value"]
    return tags


def claims(text: str, version: str) -> bool:
    """Whether *text* starts with the tag ``v`` of this version, so that it is meant to be such a record."""
    return re.match(rf"\s*v\s*=\s*{version}\s*(?:;|$)", text) is not None
