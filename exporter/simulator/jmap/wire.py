"""The JMAP generation's wire format: lists and sets as objects, selected properties, method errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

Json = dict[str, Any]

ENTERPRISE_ONLY = (
    "This feature is only available in the Enterprise edition. "
    "Obtain your trial license at https://license.stalw.art/trial."
)
NOT_PERMITTED = "You are not authorized to perform this action"
TOO_MANY_IDS = (
    "The number of ids requested by the client exceeds the maximum number the server is willing to process "
    "in a single method call."
)


class MethodError(Exception):
    """A call that failed; the other calls of its request continue."""

    def __init__(self, kind: str, description: str | None = None) -> None:
        super().__init__(f"{kind}: {description}")
        self.kind = kind
        self.description = description

    def to_json(self) -> Json:
        """Return the arguments of the `error` response."""
        shown = {"type": self.kind}
        if self.description is not None:
            shown["description"] = self.description
        return shown


def as_list(items: Iterable[Any]) -> Json:
    """Return a list as an object with the keys `0`, `1`, …"""
    return {str(place): item for place, item in enumerate(items)}


def as_set(items: Iterable[str]) -> dict[str, bool]:
    """Return a set as an object whose values are all true."""
    return dict.fromkeys(items, True)


def choose(shown: Json, properties: Sequence[str] | None) -> Json:
    """Return the requested properties and the id; all properties if none of the requested ones exists."""
    if properties is None:
        return shown
    chosen = {name: shown[name] for name in properties if name in shown}
    if not chosen:
        return shown
    return {**chosen, "id": shown["id"]}


def moment(value: object) -> float | None:
    """Return an RFC 3339 date and time as Unix seconds; None for anything else."""
    if not isinstance(value, str) or len(value) < 20 or value[10] not in "Tt":
        return None
    try:
        read = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return read.timestamp() if read.tzinfo is not None else None


def camel(words: str) -> str:
    """Return `CertificateExpired`, `certificate-expired` or `certificate_expired` as `certificateExpired`."""
    parts = [part for part in words.replace("_", "-").split("-") if part]
    joined = "".join(part[:1].upper() + part[1:] for part in parts)
    return joined[:1].lower() + joined[1:]


def whole(arguments: Mapping[str, Any], name: str) -> int | None:
    """Return an integer argument; None if it is missing or null. Raises `MethodError` for anything else."""
    value = arguments.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise MethodError("invalidArguments", f"Invalid argument {name}")
    return value
