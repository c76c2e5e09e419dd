"""
Autonomous systems of addresses, from a local database in MaxMind's format.

A database that is missing or broken is logged once and says nothing. It is opened for each look-up, so that a new file
is used as soon as it is there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import maxminddb
import structlog

from exporter.printable import printable, shortened

log = structlog.get_logger("exporter.checks")

NAME_LENGTH = 100
MOST_NUMBER = 2**32 - 1

_NUMBERS = ("autonomous_system_number", "asn")
_NAMES = ("autonomous_system_organization", "as_name", "name")
"""The members in the databases of MaxMind, DB-IP and IPinfo."""

_BROKEN = (
    maxminddb.InvalidDatabaseError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    struct.error,
)
"""What reading a damaged file raises."""


class AutonomousSystem(NamedTuple):
    """An autonomous system; *name* may be empty."""

    number: int
    name: str


class AsDatabase:
    """The database file at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._trouble = ""

    def look_up(self, addresses: Iterable[str]) -> Mapping[str, AutonomousSystem]:
        """Return the systems of *addresses*, as far as they are known; reads the file and never raises."""
        found: dict[str, AutonomousSystem] = {}
        try:
            # Not mapped into memory: a file that is truncated meanwhile must not end the process.
            with maxminddb.open_database(self._path, maxminddb.MODE_FILE) as database:
                for address in addresses:
                    system = _system(database.get(address))
                    if system is not None:
                        found[address] = system
        except _BROKEN as error:
            self._note(str(error) or type(error).__name__)
        else:
            self._note("")
        return found

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            text = shortened(printable(trouble), NAME_LENGTH)
            log.warning("as_database.read_failed", path=str(self._path), error=text)
        elif self._trouble and not trouble:
            log.info("as_database.recovered", path=str(self._path))
        self._trouble = trouble


def _system(record: object) -> AutonomousSystem | None:
    """Return the system in a *record* of any of the known databases."""
    if not isinstance(record, Mapping):
        return None
    number = next((record[name] for name in _NUMBERS if name in record), None)
    if isinstance(number, str):
        digits = number.upper().removeprefix("AS")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    if not isinstance(number, int) or not 0 < number <= MOST_NUMBER:
        return None
    name = next((record[name] for name in _NAMES if isinstance(record.get(name), str)), "")
    return AutonomousSystem(number, shortened(printable(name), NAME_LENGTH))
