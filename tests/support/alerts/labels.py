"""Which labels the result of an expression is sure to have: enough of PromQL for the rules of this repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

Labels = frozenset[str]
Vector = Sequence[Labels]
"""The labels of each kind of series that may come out: `or` has several."""

TARGET = frozenset({"job", "instance"})
SCALAR: Vector = ()

_TOKEN = re.compile(
    r'\s*("(?:[^"\\]|\\.)*"|\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*|\d+(?:[.]\d+)?(?:e[+-]?\d+)?|[a-zA-Z_:][\w:]*'
    r"|=~|!~|!=|==|>=|<=|[-+*/%^(){}\[\],=<>])"
)
_AGGREGATIONS = ("sum", "min", "max", "avg", "group", "count", "topk", "bottomk")
_SCALARS = ("time",)
_LEVELS: Sequence[Sequence[str]] = (
    ("or",),
    ("and", "unless"),
    ("==", "!=", ">", "<", ">=", "<="),
    ("+", "-"),
    ("*", "/", "%"),
)


class Expression:
    """A parse of one expression, on the go."""

    def __init__(self, text: str, known: Callable[[str], Vector]) -> None:
        self._tokens = _tokens(text)
        self._known = known
        self._at = 0

    def labels(self) -> Vector:
        """The labels of the whole."""
        found = self._binary(0)
        assert self._at == len(self._tokens), f"not understood: {self._tokens[self._at :]}"
        return found

    def _binary(self, level: int) -> Vector:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._next() in _LEVELS[level]:
            operator = self._take()
            keep = self._matching()
            left = _joined(operator, left, self._binary(level + 1), keep)
        return left

    def _matching(self) -> Callable[[Labels], Labels]:
        """What `on` or `ignoring` leaves of the labels of a one-to-one result."""
        self._skip("bool")
        if self._next() not in ("on", "ignoring"):
            return lambda labels: labels
        word, names = self._take(), self._names()
        for side in ("group_left", "group_right"):
            if self._next() == side:
                self._take()
                return lambda labels: labels
        return (lambda labels: labels & names) if word == "on" else (lambda labels: labels - names)

    def _unary(self) -> Vector:
        self._skip("-")
        token = self._take()
        if token == "(":
            found = self._binary(0)
            self._expect(")")
        elif token in _AGGREGATIONS:
            found = self._aggregation()
        elif self._next() == "(":
            found = self._call(token)
        elif token[0].isdigit() or token[0] == '"':
            found = SCALAR
        else:
            found = self._selector(token)
        return self._after(found)

    def _after(self, found: Vector) -> Vector:
        if self._next() == "[":
            while self._take() != "]":
                pass
        if self._next() == "offset":
            self._take()
            self._take()
        return found

    def _selector(self, name: str) -> Vector:
        found = self._known(name)
        if self._next() == "{":
            while self._take() != "}":
                pass
        return found

    def _aggregation(self) -> Vector:
        keep = self._grouping()
        self._expect("(")
        found = self._arguments()[-1]
        if self._next() in ("by", "without"):
            keep = self._grouping()
        return [keep(labels) for labels in found]

    def _grouping(self) -> Callable[[Labels], Labels]:
        if self._next() not in ("by", "without"):
            return lambda labels: frozenset()
        word, names = self._take(), self._names()
        return (lambda labels: labels & names) if word == "by" else (lambda labels: labels - names)

    def _call(self, function: str) -> Vector:
        self._expect("(")
        begin = self._at
        arguments = self._arguments()
        if function == "label_replace":
            given = [token for token in self._tokens[begin : self._at] if token[0] == '"'][-4]
            return [labels | {given.strip('"')} for labels in arguments[0]]
        if function in _SCALARS:
            return SCALAR
        if function == "vector":
            return [frozenset()]
        return next((found for found in arguments if found), SCALAR)

    def _arguments(self) -> list[Vector]:
        found: list[Vector] = []
        while self._next() != ")":
            found.append(self._binary(0))
            self._skip(",")
        self._expect(")")
        return found

    def _names(self) -> Labels:
        self._expect("(")
        names = set()
        while (token := self._take()) != ")":
            if token != ",":
                names.add(token)
        return frozenset(names)

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, token: str) -> None:
        if self._next() == token:
            self._take()

    def _expect(self, token: str) -> None:
        taken = self._take()
        assert taken == token, f"{taken} where {token} should be"


def _joined(operator: str, left: Vector, right: Vector, keep: Callable[[Labels], Labels]) -> Vector:
    if operator == "or":
        return [*left, *right]
    if operator in ("and", "unless") or right == SCALAR:
        return left
    return right if left == SCALAR else [keep(labels) for labels in left]


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, f"not understood: {text[at:]}"
        found.append(match[1])
        at = match.end()
    return found


def kinds(expr: str, metrics: Mapping[str, Labels], records: Mapping[str, Sequence[tuple[str, Labels]]]) -> Vector:
    """
    The labels of each kind of series that *expr* may give.

    *metrics* has the labels of the exporter's own, without the target's; *records* each recording rule's expressions
    with the labels that the rule adds. A rule that selects itself adds no kind.
    """

    def known(name: str, above: Sequence[str] = ()) -> Vector:
        if name in above:
            return []
        if name in records:
            return [
                labels | added
                for text, added in records[name]
                for labels in Expression(text, lambda inner: known(inner, [*above, name])).labels()
            ]
        base = re.sub(r"_(?:bucket|sum|count)$", "", name)
        return [TARGET | metrics.get(name, metrics.get(base, frozenset()))]

    return Expression(expr, known).labels()
