"""The records that the test DNS server has, added and replaced as lines of a zone file."""

from __future__ import annotations

from collections.abc import Iterable

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


class Zones:
    """
    Records by name and type; the server is authoritative for every name.

    Attributes:
        signed: Answers are marked as validated.
    """

    def __init__(self, *lines: str) -> None:
        self.signed = False
        self._rows: dict[Key, dns.rrset.RRset] = {}
        self.add(*lines)

    def add(self, *lines: str) -> None:
        """Add records to those that are there."""
        for line in lines:
            row = _parsed(line)
            held = self._rows.get((row.name, row.rdtype))
            if held is not None:
                held.update(row)
            else:
                self._rows[row.name, row.rdtype] = row

    def replace(self, *lines: str) -> None:
        """Make these records the only ones of their names and types."""
        for line in lines:
            row = _parsed(line)
            self._rows.pop((row.name, row.rdtype), None)
        self.add(*lines)

    def remove(self, name: str, kind: str) -> None:
        """Remove all records of one type from a name."""
        del self._rows[dns.name.from_text(name), dns.rdatatype.from_text(kind)]

    def find(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """The records of this type at *name*."""
        return self._rows.get((name, kind))

    def exists(self, name: dns.name.Name) -> bool:
        """Whether there is anything at *name* or below it."""
        return any(other.is_subdomain(name) for other, _ in self._rows)

    def names(self) -> Iterable[dns.name.Name]:
        """Every name."""
        return {name for name, _ in self._rows}


def _parsed(line: str) -> dns.rrset.RRset:
    name, _, rest = line.partition(" IN ")
    kind, _, data = rest.partition(" ")
    return dns.rrset.from_text(dns.name.from_text(name), 60, "IN", kind, data)
