r"""
The zone file that a server wants for a domain.

Contract: Stalwart v0.16, ``x:Domain/get`` property ``dnsZoneFile``; tests/recordings/ops-0.16.18/domains.json. One
record per line, ``<fqdn.> IN <TYPE> <data>``. Texts are quoted, with ``\"`` and ``\\``; one that is longer than 255
bytes is ``(``, a quoted chunk per line, ``)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.model.posture import Record
from exporter.stalwart.common.wanted_records import MOST_RECORDS, wanted_record

_LINE = re.compile(r"(?P<name>\S+)[ \t]+IN[ \t]+(?P<type>[A-Z0-9]+)[ \t]+(?P<data>.*)")
_CHUNK = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:(?P<code>[0-9]{3})|(?P<char>.))", re.DOTALL)


def parse_zone(text: str) -> tuple[Record, ...]:
    """Return the records of a zone file; a line that cannot be parsed is left out."""
    records: list[Record] = []
    for line in _joined(text):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        data = match["data"].strip()
        if match["type"] == "TXT":
            data = "".join(_unescaped(chunk["text"]) for chunk in _CHUNK.finditer(data))
        record = wanted_record(match["name"], match["type"], data)
        if record is not None:
            records.append(record)
        if len(records) >= MOST_RECORDS:
            break
    return tuple(records)


def _joined(text: str) -> Iterator[str]:
    """Yield the lines, those in parentheses joined."""
    held: list[str] = []
    for line in text.split("\n"):
        opened = line.rstrip().endswith("(")
        closed = line.strip() == ")"
        if opened:
            held = [line.rstrip()[:-1]]
        elif held and closed:
            yield " ".join(held)
            held = []
        elif held:
            held.append(line.strip())
        else:
            yield line.strip()


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match["code"])) if match["code"] else match["char"], text)
