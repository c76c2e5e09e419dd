"""What a decoder is to the fuzzing: something that takes bytes and gives a model or a typed error."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import TargetError


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
