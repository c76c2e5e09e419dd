"""The details of an outcome as a JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from exporter.model.posture import CheckOutcome, PolicyFile, Record


def pack_details(outcome: CheckOutcome) -> str:
    """Return what was seen and what to publish as a text in ASCII."""
    return json.dumps(
        {
            "seen": list(outcome.seen),
            "publish": _packed(outcome.publish),
            "remove": _packed(outcome.remove),
            "files": [[file.url, file.content] for file in outcome.files],
        },
        separators=(",", ":"),
    )


def unpack_details(text: str) -> dict[str, Any]:
    """Return the members of `CheckOutcome` that `pack_details` has packed."""
    held = json.loads(text)
    return {
        "seen": tuple(held["seen"]),
        "publish": _records(held["publish"]),
        "remove": _records(held["remove"]),
        "files": tuple(PolicyFile(url=url, content=content) for url, content in held["files"]),
    }


def _packed(records: Sequence[Record]) -> list[list[str]]:
    return [[record.name, record.type, record.content] for record in records]


def _records(rows: Sequence[Sequence[str]]) -> tuple[Record, ...]:
    return tuple(Record(name=name, type=kind, content=content) for name, kind, content in rows)
