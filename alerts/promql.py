"""The metric names in an expression, as far as the checks of this repository need them."""

from __future__ import annotations

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_LABELS = re.compile(r"\{[^}]*\}")
_LISTED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\S+")
_NAME = re.compile(r"(?<![\w:])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")

_OPERATORS = ("and", "or", "unless", "bool", "inf", "nan")
_AGGREGATIONS = ("sum", "min", "max", "avg", "group", "count", "topk", "bottomk", "quantile", "stddev", "stdvar")
_WORDS = frozenset((*_OPERATORS, *_AGGREGATIONS, "by", "without", "on", "ignoring", "group_left", "group_right"))


def names_in(expr: str) -> set[str]:
    """The metric names that *expr* selects."""
    bare = _STRING.sub('""', expr)
    for noise in (_LABELS, _LISTED, _RANGE):
        bare = noise.sub(" ", bare)
    return {name for name in _NAME.findall(bare) if name.lower() not in _WORDS}
