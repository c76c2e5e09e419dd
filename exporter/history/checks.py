"""The checks of a domain in groups and lines; those of its listeners belong to the domain or host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exporter.model.posture import CheckResult, Record, split_subject
from exporter.store.posture.reading import StoredState, read_changes
from exporter.store.reading import History

Group = list[StoredState]
"""The checks of one domain or host of one server."""

CHANGES_SHOWN = 10
"""Changes of a domain that commands and pages show."""

MOST_PARTS = 40
"""So many listeners, over both families, may share a line."""


def by_domain(states: Iterable[StoredState]) -> list[Group]:
    """Return the states in groups of one server and domain, with the parts of the domain."""
    groups: dict[tuple[str, str], Group] = {}
    for one in states:
        groups.setdefault((one.server, owner_of(one)), []).append(one)
    return list(groups.values())


def owner_of(one: StoredState) -> str:
    """Return the domain, or the host, that a state belongs to."""
    return split_subject(one.state.outcome.domain)[0]


def part_of(one: StoredState) -> str:
    """Return the part of the domain that a state is about, such as ``465/ipv6``; empty if it is the whole."""
    return split_subject(one.state.outcome.domain)[1]


def named(check: str, parts: Iterable[str]) -> str:
    """Return a check with its parts: ``certificate_names (465, 993/ipv6)``; a port without a family is of both."""
    families: dict[str, list[str]] = {}
    for part in sorted(filter(None, parts), key=lambda part: (len(part), part)):
        port, _, family = part.partition("/")
        families.setdefault(port, []).append(family)
    shown = [port if len(found) > 1 else f"{port}/{found[0]}".rstrip("/") for port, found in families.items()]
    return f"{check} ({', '.join(shown)})" if shown else check


class Line(NamedTuple):
    """A line of the table."""

    check: str
    result: CheckResult
    seen: str


def lines_of(group: Group) -> dict[Line, Group]:
    """Return the lines of the table with what each is about: listeners with the same result share one."""
    lines: dict[Line, Group] = {}
    for one in group:
        outcome = one.state.outcome
        line = Line(outcome.check.value, outcome.result, "; ".join(outcome.seen))
        lines.setdefault(line, []).append(one)
    return lines


class ChangeLine(NamedTuple):
    """
    A change of a check.

    Attributes:
        at: In Unix seconds.
        parts: The parts that changed at that time in that way; see `named`.
        seen: What was seen, of one of them.
    """

    at: int
    check: str
    result: str
    parts: tuple[str, ...]
    seen: str


def changes_of(history: History, server: str, name: str) -> list[ChangeLine]:
    """Return the newest changes of a domain or host; listeners that changed at the same time share a line."""
    lines: dict[tuple[int, str, str], ChangeLine] = {}
    for row in read_changes(history, server, name, most=MOST_PARTS * CHANGES_SHOWN):
        key = row["at"], row["check_name"], row["result"]
        held = lines.get(key, ChangeLine(*key, (), row["seen"]))
        lines[key] = held._replace(parts=(*held.parts, split_subject(row["domain"])[1]))
    return list(lines.values())[:CHANGES_SHOWN]


def records_to_publish(group: Group) -> list[Record]:
    """Return every record to publish for a domain, once."""
    return list(dict.fromkeys(record for one in group for record in one.state.outcome.publish))
