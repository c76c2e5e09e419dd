"""Shapes of JSON values: keys and types, and the words of small closed vocabularies, without the values themselves."""

from __future__ import annotations

from typing import Any

# Strings in these places are words of a closed vocabulary, not free text.
TAGS = frozenset(
    {
        *("type", "title", "detail", "level", "error", "queue"),
        *("disposition", "dkim", "spf", "p", "sp", "adkim", "aspf", "scope", "result", "policy-type", "result-type"),
        *("feedback_type", "auth_failure", "delivery_result", "identity_alignment"),
    }
)


def shape(value: Any, key: str = "") -> Any:
    """What a value looks like; a list is the set of its elements' shapes."""
    match value:
        case dict():
            return tuple(sorted((name, shape(inner, name)) for name, inner in value.items()))
        case list():
            return ("list", frozenset(shape(inner, key) for inner in value))
        case str():
            return ("tag", value) if key in TAGS or value == "scheduled" else ("str",)
        case bool():
            return ("bool",)
        case int():
            return ("int",)
        case float():
            return ("float",)
        case _:
            return ("null",)


def differences(recorded: Any, ours: Any, path: str = "$") -> list[str]:
    """Where two values differ in shape, by path; empty when they do not."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        found = [f"{path}.{name}: only recorded" for name in recorded.keys() - ours.keys()]
        found += [f"{path}.{name}: not recorded" for name in ours.keys() - recorded.keys()]
        for name in recorded.keys() & ours.keys():
            if shape(recorded[name], name) != shape(ours[name], name):
                found += differences(recorded[name], ours[name], f"{path}.{name}")
        return found
    if isinstance(recorded, list) and isinstance(ours, list):
        return _list_differences(recorded, ours, path)
    key = path.rpartition(".")[2].partition("[")[0]
    theirs, mine = shape(recorded, key), shape(ours, key)
    return [] if theirs == mine else [f"{path}: recorded {theirs}, ours {mine}"]


def _list_differences(recorded: list[Any], ours: list[Any], path: str) -> list[str]:
    """Each element must look like one of the other side's; one that does not is compared with its neighbour."""
    key = path.rpartition(".")[2].partition("[")[0]
    theirs, mine = ({shape(item, key) for item in side} for side in (recorded, ours))
    found = []
    for number, item in enumerate(recorded):
        if shape(item, key) not in mine:
            twin = ours[min(number, len(ours) - 1)] if ours else None
            found += differences(item, twin, f"{path}[{number}]") or [f"{path}[{number}]: ours has none like it"]
    for number, item in enumerate(ours):
        if shape(item, key) not in theirs:
            found.append(f"{path}[{number}]: not recorded: {str(item)[:200]}")
    return found
