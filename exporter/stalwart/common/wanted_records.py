"""DNS records as a server of either generation lists them."""

from __future__ import annotations

from exporter.domains import domain_name
from exporter.model.posture import Record

MOST_DOMAINS = 10_000
"""More domains than are checked."""

MOST_RECORDS = 200
MOST_CHARACTERS = 8192
"""The longest record that is kept; the longest RSA key takes less than a thousand."""

TYPES = frozenset({"CAA", "CNAME", "MX", "SRV", "TLSA", "TXT"})


def wanted_record(name: str, kind: str, content: str) -> Record | None:
    """Return a record in the model's form; ``None`` if it is of no use: an invalid name, another type, too long."""
    host = domain_name(name)
    if host is None or kind not in TYPES or len(content) > MOST_CHARACTERS:
        return None
    if kind != "TXT" and not (content.isascii() and content.isprintable()):
        return None
    text = content.encode("utf-8", "replace").decode("latin-1") if kind == "TXT" else " ".join(content.split())
    return Record(name=host, type=kind, content=text)
