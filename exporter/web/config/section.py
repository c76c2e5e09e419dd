"""Reads one mapping of a configuration file and collects all problems instead of raising."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ConfigSection:
    """
    A mapping that is read key by key.

    A value of the wrong type is recorded as a problem with the key's path, and the method returns what it would for a
    missing key. Keys that were not read before `finish` are unknown keys.

    Attributes:
        given: Whether the mapping is present and not empty.
    """

    def __init__(self, raw: object, path: str, problems: list[str]) -> None:
        self._path = path
        self._problems = problems
        self._read: set[object] = set()
        self._values: Mapping[object, object] = {}
        if isinstance(raw, dict):
            self._values = raw
        elif raw is not None:
            problems.append(f"{path}: must be a mapping" if path else "must be a mapping")
        self.given = bool(self._values)

    def problem(self, key: str, what: str) -> None:
        """Record a problem with a key."""
        self._problems.append(f"{self._path_of(key)}: {what}")

    def names(self) -> Sequence[str]:
        """Return the keys; a key that is not a string is a problem."""
        for key in self._values:
            if not isinstance(key, str):
                self._read.add(key)
                self.problem(str(key), "must be written in quotes")
        return [key for key in self._values if isinstance(key, str)]

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return a string; ``None`` if missing or invalid. A missing one is a problem if it is *required*."""
        value = self._take(key)
        if isinstance(value, str) or (value is None and not required):
            return value
        self.problem(key, "must be a string")
        return None

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str | None:
        """Return one of *allowed*; ``None`` if it is another value, *default* if missing or empty."""
        value = self.text(key)
        if not value:
            return default
        if value in allowed:
            return value
        self.problem(key, f"{value!r} is not known; must be one of {', '.join(allowed)}")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; empty if missing or invalid."""
        value = self._take(key)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.problem(key, "must be a list of strings")
        return ()

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problem(key, "must be true or false")
            return default
        return value

    def whole_number(self, key: str) -> int | None:
        """Return an integer; ``None`` if missing or invalid, which are both problems."""
        value = self._take(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.problem(key, "must be a whole number")
        return None

    def duration_text(self, key: str) -> str:
        """Return a duration as written; a plain number needs no quotes. Empty if missing or invalid."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return ""
        return str(value).strip()

    def section(self, key: str) -> ConfigSection:
        """Return a nested mapping; an empty one if missing or invalid."""
        return ConfigSection(self._take(key), self._path_of(key), self._problems)

    def refuse(self, key: str, why: str) -> None:
        """Record a problem if the key is present: the format defines it, but it is not supported here."""
        if self._take(key) is not None:
            self.problem(key, why)

    def finish(self, unknown: str = "unknown key", *, known: Sequence[str] = ()) -> None:
        """Record a problem for every key that was not read and is not *known*."""
        for key in self._values:
            if key not in self._read and key not in known:
                self.problem(str(key), unknown)

    def _take(self, key: str) -> object:
        self._read.add(key)
        return self._values.get(key)

    def _path_of(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key
