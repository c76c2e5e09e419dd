"""Converts pydantic's errors to lines with the path, the problem and the accepted values, but never the given value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from exporter.errors import quote
from exporter.settings.describe import (
    Loc,
    accepted_in_words,
    choices,
    dotted,
    find,
    global_keys,
    section_of,
    server_keys,
)
from exporter.settings.section import Section
from exporter.settings.validation.rules import RULE

_WORDS: Mapping[str, str] = {
    "string_type": "not a string",
    "string_unicode": "not valid Unicode",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "int_parsing_size": "too large",
    "int_from_float": "not a whole number",
    "finite_number": "not a finite number",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "literal_error": "unknown value",
    "greater_than_equal": "too small",
    "less_than_equal": "too large",
    "path_type": "not a path",
    "missing": "required but not set",
}
_NO_TABLE = frozenset({"model_type", "model_attributes_type", "dict_type"})


def describe_errors(error: ValidationError, given: object, variable_of: Callable[[Loc], str | None]) -> list[str]:
    """
    Return one line per error, in the order of the models.

    *given* is the validated data, read only to suggest the closest choice. *variable_of* returns the environment
    variable that set, or could set, the key at a path.
    """
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        loc = detail["loc"]
        text = _text(detail, given)
        variable = variable_of(loc)
        lines.append(f"{quote(dotted(loc)) or 'file'}: {text}" + (f" ({variable})" if variable else ""))
    return lines


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the closest of *known*, or ``None`` if nothing is close."""
    close = get_close_matches(name.lower(), list(known), n=1)
    return close[0] if close else None


def _text(detail: Any, given: object) -> str:
    kind, loc = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind in _NO_TABLE:
        return "not a table; accepted: a table of keys"
    if kind == "tuple_type":
        return "not an array of tables; accepted: one or more [[servers]], in double brackets"
    if kind == RULE:
        text = str(detail["msg"])
        return text if "accepted: " in text else text + _accepted(loc)
    if kind == "value_error":
        return f"{detail['ctx']['error']}{_accepted(loc)}"
    if kind == "literal_error":
        return _WORDS[kind] + _guess(loc, given) + _accepted(loc)
    return _WORDS.get(kind, "invalid value") + _accepted(loc)


def _accepted(loc: Loc) -> str:
    _, field = find(loc)
    return f"; accepted: {accepted_in_words(field)}" if field is not None and section_of(field) is None else ""


def _guess(loc: Loc, given: object) -> str:
    """Return a suggestion, which contains only accepted values, never the given one."""
    value = _at(given, loc)
    _, field = find(loc)
    guess = did_you_mean(value, choices(field)) if isinstance(value, str) and field is not None else None
    return f"; did you mean {guess}?" if guess else ""


def _at(given: Any, loc: Loc) -> object:
    for part in loc:
        try:
            given = given[part]
        except (KeyError, IndexError, TypeError):
            return None
    return given


def _unknown_key(loc: Loc) -> str:
    model, _ = find(loc[:-1])
    name = str(loc[-1])
    guess = did_you_mean(name, model.model_fields)
    if guess:
        return f"unknown key; did you mean {guess}?"
    home = next(_homes(name, model), None)
    if home:
        return f"unknown key here; it belongs to {home} (a key belongs to the table whose [header] precedes it)"
    return f"unknown key; accepted: {', '.join(model.model_fields)}"


def _homes(name: str, model: type[Section]) -> Iterator[str]:
    """Yield the tables that have a key of that name."""
    for root, keys in ((("servers",), server_keys()), ((), global_keys())):
        for key in keys:
            table = ".".join((*root, *key.path[:-1]))
            if key.path[-1] == name and name not in model.model_fields:
                yield f"[[{table}]]" if table == "servers" else f"[{table}]"
