"""
A subset of YAML for configuration files: mappings, lists, strings, booleans and integers.

PyYAML composes the document and resolves aliases. Its constructors are not used, since they raise various errors for
values such as ``2026-13-45`` or ``!!int x``, and expand aliases without a limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

MERGED_KEYS_LIMIT = 10_000
"""Keys that merges (``<<``) may copy per document, so that nested merges end."""

_TAG = "tag:yaml.org,2002:"
_TRUE = frozenset({"yes", "true", "on"})
_FALSE = frozenset({"no", "false", "off"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Other:
    """A value of another kind, such as a date, as written in the file."""

    text: str

    def __str__(self) -> str:
        return self.text


class DocumentError(Exception):
    """The document is invalid; the message says where and why, without quoting the line."""


def parse_yaml(content: bytes) -> object:
    """
    Parse one document into dicts, lists, strings, booleans, integers, `Other` and ``None``.

    Raises `DocumentError` for anything else, including a duplicate key.
    """
    try:
        node = yaml.compose(content, Loader=yaml.SafeLoader)
        return None if node is None else _Builder().build(node)
    except yaml.MarkedYAMLError as error:
        raise DocumentError(_place(error.problem_mark) + (error.problem or "malformed")) from None
    except RecursionError:
        raise DocumentError("nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # Bytes that are not text, and escapes or version numbers out of range.
        raise DocumentError("cannot be read as text") from None


class _Builder:
    """Builds the values of a document's nodes, each node once, regardless of the number of aliases."""

    def __init__(self) -> None:
        self._built: dict[int, object] = {}
        self._merged_keys = 0

    def build(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) not in self._built:
            self._built[id(node)] = _UNFINISHED
            self._built[id(node)] = (
                self._mapping(node) if isinstance(node, yaml.MappingNode) else [self.build(item) for item in node.value]
            )
        value = self._built[id(node)]
        if value is _UNFINISHED:
            raise DocumentError(f"{_place(node.start_mark)}an alias refers to its own parent")
        return value

    def _mapping(self, node: yaml.MappingNode) -> dict[object, object]:
        own: dict[object, object] = {}
        merged: dict[object, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise DocumentError(f"{_place(key_node.start_mark)}a key must be a string")
            if key_node.tag == _TAG + "merge":
                self._merge(merged, value_node)
                continue
            key = _scalar(key_node)
            if key in own:
                raise DocumentError(f"{_place(key_node.start_mark)}key {key_node.value!r} is duplicated")
            own[key] = self.build(value_node)
        return {**merged, **own}

    def _merge(self, into: dict[object, object], node: yaml.Node) -> None:
        """Add the keys of the mappings at *node*; existing keys are kept."""
        value = self.build(node)
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, dict):
                raise DocumentError(f"{_place(node.start_mark)}only mappings can be merged")
            self._merged_keys += len(mapping)
            if self._merged_keys > MERGED_KEYS_LIMIT:
                raise DocumentError(f"{_place(node.start_mark)}merges more than {MERGED_KEYS_LIMIT} keys")
            for key, item in mapping.items():
                into.setdefault(key, item)


_UNFINISHED = object()


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if not text.isascii() and not _is_unicode(text):
        raise DocumentError(f"{_place(node.start_mark)}contains half a surrogate pair, which is not a character")
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if kind == "int" and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    return Other(text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
