"""The keys of the models and the values they accept, for error messages and the reference page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from exporter.settings.models import Settings
from exporter.settings.section import Section
from exporter.settings.servers.server import ServerSettings
from exporter.settings.types import Accepts

Loc = tuple[str | int, ...]

_BOOL = Accepts("boolean", "true or false", show=lambda value: "true" if value else "false", bare=True)


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key of the file, relative to the table passed to `keys_of`.

    Attributes:
        path: Names of the tables and the key, ``("intervals", "queue")``.
    """

    path: tuple[str, ...]
    field: FieldInfo


def keys_of(model: type[Section], prefix: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield every key of a model and its nested models, in order; tables themselves are not keys."""
    for name, field in model.model_fields.items():
        inner = section_of(field)
        if inner is None:
            yield Key((*prefix, name), field)
        else:
            yield from keys_of(inner, (*prefix, name))


def global_keys() -> list[Key]:
    """Return the keys outside ``[[servers]]``."""
    return [key for key in keys_of(Settings) if key.path[0] != "servers"]


def server_keys() -> list[Key]:
    """Return the keys of one ``[[servers]]``."""
    return list(keys_of(ServerSettings))


def section_of(field: FieldInfo) -> type[Section] | None:
    """Return the model of a table, or of the elements of an array of tables; ``None`` for other fields."""
    candidates = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Section)), None)


def find(loc: Sequence[str | int]) -> tuple[type[Section], FieldInfo | None]:
    """Return the innermost model on the path *loc* and the field at its end; ``None`` if no model has that field."""
    model: type[Section] = Settings
    field: FieldInfo | None = None
    names = [part for part in loc if isinstance(part, str)]
    for position, name in enumerate(names):
        field = model.model_fields.get(name)
        inner = section_of(field) if field is not None else None
        if inner is None:
            return model, field if position == len(names) - 1 else None
        model = inner
    return model, field


def accepts(field: FieldInfo) -> Accepts:
    """Return what a key accepts, without its bounds."""
    annotation, metadata = _unwrap(field)
    mark = next((mark for mark in metadata if isinstance(mark, Accepts)), None)
    if mark is not None:
        return mark
    if annotation is bool:
        return _BOOL
    if get_origin(annotation) is Literal:
        return Accepts("choice", "one of " + ", ".join(map(str, get_args(annotation))))
    raise TypeError(f"no words for {annotation!r}")


def accepted_in_words(field: FieldInfo) -> str:
    """Return text that completes "accepted: ...", with bounds."""
    words, bounds = accepts(field).words, bounds_in_words(field)
    return f"{words}, {bounds}" if bounds else words


def bounds_in_words(field: FieldInfo) -> str:
    """Return ``from 1s to 1d``, ``0 or more``, or an empty string."""
    show = accepts(field).show
    _, metadata = _unwrap(field)
    low = next((show(bound.ge) for bound in metadata if isinstance(bound, Ge)), None)
    high = next((show(bound.le) for bound in metadata if isinstance(bound, Le)), None)
    if low is not None and high is not None:
        return f"from {low} to {high}"
    return f"{low} or more" if low is not None else ""


def choices(field: FieldInfo) -> list[str]:
    """Return the values of a choice; empty for other keys."""
    annotation, _ = _unwrap(field)
    return [str(value) for value in get_args(annotation)] if get_origin(annotation) is Literal else []


def unit_of(field: FieldInfo) -> str:
    """Return the unit of the parsed value, or an empty string."""
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    return unit if isinstance(unit, str) else accepts(field).unit


def as_toml(field: FieldInfo, value: Any) -> str:
    """Format a value as in the file; a secret as its mask."""
    mark = accepts(field)
    text = mark.show(value)
    return text if mark.bare else json.dumps(text, ensure_ascii=False)


def dotted(loc: Loc) -> str:
    """Format a location: ``servers[0].intervals.queue``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _unwrap(field: FieldInfo) -> tuple[Any, list[Any]]:
    """Return a field's bare type and its metadata, outermost first; ``X | None`` counts as ``X``."""
    annotation: Any = field.annotation
    metadata = list(reversed(field.metadata))
    while True:
        if get_origin(annotation) in (Union, UnionType):
            (annotation,) = [part for part in get_args(annotation) if part is not NoneType]
        elif get_origin(annotation) is Annotated:
            metadata += reversed(annotation.__metadata__)
            annotation = annotation.__origin__
        else:
            return annotation, metadata
