"""What a decoder is to the fuzzing: something that takes bytes and gives a model or a typed error."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from exporter.errors import ExporterError, TargetError

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Decoder:
    """
    One decoder.

    Attributes:
        samples: Makes what it is given before that is spoilt.
        errors: What it may raise.
        share: How many inputs it gets, as a multiple of what others get; what is slow gets less.
    """

    name: str
    decode: Callable[[bytes], object]
    samples: Callable[[], Sequence[bytes]]
    errors: tuple[type[Exception], ...] = (TargetError,)
    share: float = 1.0


@contextmanager
def written(content: bytes) -> Iterator[Path]:
    """The path of a file with this content."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def any_of(readers: Sequence[Callable[[], Any]], error: type[Exception] = ExporterError) -> list[Any]:
    """What those of *readers* give that can read it; the *error* of the last one if none can."""
    found: list[Any] = []
    problem: Exception | None = None
    for read in readers:
        try:
            found.append(read())
        except error as raised:
            problem = raised
    if not found and problem is not None:
        raise problem
    return found


def text_of(content: bytes) -> str:
    """*content* as text, whatever it is."""
    return content.decode("utf-8", "replace")


def encoded(value: object) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)
