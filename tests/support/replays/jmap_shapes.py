"""Shapes of JMAP answers: as `shapes`, but with objects that stand for lists, sets and maps."""

from __future__ import annotations

from typing import Any

from tests.support.replays.shapes import differences

# Objects keyed by what differs from server to server.
MAPS = frozenset({"recipients", "to", "rua", "mailRua", "policyIdentifiers", "permissions", "accounts"})
# Words of closed vocabularies, spelled out in the comparison.
WORDS = frozenset(
    {
        *("@type", "errorType", "queueName", "level", "edition", "description", "limit", "stage", "status"),
        *("responseCode", "responseEnhanced", "evaluatedDisposition", "evaluatedDkim", "evaluatedSpf"),
        *("policyAdkim", "policyAspf", "policyDisposition", "policySubdomainDisposition", "policyNp"),
        *("policyDiscoveryMethod", "policyType", "resultType", "feedbackType", "authFailure", "deliveryResult"),
        *("identityAlignment", "scope", "result"),
    }
)


def _is_list(value: dict[str, Any]) -> bool:
    return bool(value) and all(key.isdigit() for key in value)


def _is_set(value: dict[str, Any]) -> bool:
    return bool(value) and all(member is True for member in value.values())


def plain(value: Any, key: str = "") -> Any:
    """The same with lists, maps and sets as lists of their values; words become types of their own."""
    match value:
        case dict() if _is_list(value) or key in MAPS:
            return [plain(inner) for inner in value.values()]
        case dict() if _is_set(value):
            return [True]
        case dict():
            return {name: plain(inner, name) for name, inner in value.items()}
        case list():
            return [plain(inner, key) for inner in value]
        case str() | int() if key in WORDS and not isinstance(value, bool):
            return {f"{key} is {value}": 0}
        case _:
            return value


def differences_of(recorded: Any, ours: Any) -> list[str]:
    """Where two answers differ in shape; each call is compared with its own answer."""
    if not isinstance(recorded, dict) or not isinstance(ours, dict) or "methodResponses" not in recorded:
        return differences(plain(recorded), plain(ours))
    theirs, mine = recorded["methodResponses"], ours.get("methodResponses", [])
    found = [] if recorded.keys() == ours.keys() else [f"members {sorted(ours)}, recorded {sorted(recorded)}"]
    if [(name, call_id) for name, _, call_id in theirs] != [(name, call_id) for name, _, call_id in mine]:
        found.append(f"answers {[name for name, *_ in mine]}, recorded {[name for name, *_ in theirs]}")
    for (name, told, _), (_, own, _) in zip(theirs, mine, strict=False):
        found += [f"{name}: {text}" for text in differences(plain(told), plain(own))]
        for member in ("total", "position", "limit", "canCalculateChanges", "queryState"):
            if told.get(member) != own.get(member):
                found.append(f"{name}: {member} {own.get(member)!r}, recorded {told.get(member)!r}")
        for member in ("ids", "list", "notFound"):
            if member in told and len(told[member]) != len(own.get(member, ())):
                found.append(f"{name}: {len(own.get(member, ()))} {member}, recorded {len(told[member])}")
    return found
