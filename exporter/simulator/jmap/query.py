"""
`/query` of one object type: filter, sort and paging, including the fast path that reads from the wrong end.

Sorted by id, without a total and without a position of 0, the server reads the lowest ids first, cuts, and reverses the
page afterwards; an anchor means "greater than" there. Every other query is sorted completely, then cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.simulator.jmap.wire import Json, MethodError, moment, whole
from exporter.simulator.world.ids import encode_id, id_of

MAX_RESULTS = 5000
FilterKind = Literal["equal", "date", "number", "words", "substring", "contains", "id", "failed", "ignored"]
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "IsGreaterThanOrEqual": lambda own, asked: own >= asked,
    "IsGreaterThan": lambda own, asked: own > asked,
    "IsLessThanOrEqual": lambda own, asked: own <= asked,
    "IsLessThan": lambda own, asked: own < asked,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One object as a query sees it.

    Attributes:
        fields: Filter and sort fields; None in a field matches no comparison and sorts last.
        show: The whole object, without its id.
    """

    number: int
    fields: Mapping[str, Any]
    show: Callable[[], Json]


def fixed_entry(number: int, shown: Json, **fields: Any) -> Entry:
    """Return an entry whose object is complete."""
    return Entry(number, fields, lambda: shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What a query of one type supports.

    Attributes:
        default_sort: The default sort field, always descending.
        fast: Whether the broken fast path exists for this type.
        index: The field that orders the fast path when it does not read by id.
        always_index: Whether it reads by `index` even without a filter.
        anchored_total: Whether, with an anchor, the total and the position count from the anchor on.
        sort_ignored: Whether only the direction of a sort counts.
    """

    filters: Mapping[str, FilterKind] = field(default_factory=dict)
    sorts: frozenset[str] = frozenset({"id"})
    default_sort: str = "id"
    fast: bool = True
    index: str | None = None
    always_index: bool = False
    anchored_total: bool = False
    sort_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested part of the result; `limit` as given, None if missing."""

    position: int | None
    limit: int | None
    anchor: str | None
    offset: int
    total: bool

    @property
    def most(self) -> int:
        """The maximum number of ids; a limit of 0 returns none."""
        return min(self.limit or MAX_RESULTS, MAX_RESULTS)


def parse_paging(arguments: Mapping[str, Any]) -> Paging:
    """Parse the paging arguments. Raises `MethodError` for invalid ones."""
    limit, anchor = whole(arguments, "limit"), arguments.get("anchor")
    if (limit is not None and limit < 0) or not isinstance(anchor, str | None):
        raise MethodError("invalidArguments", "Invalid paging arguments")
    return Paging(
        position=whole(arguments, "position"),
        limit=limit,
        anchor=anchor,
        offset=whole(arguments, "anchorOffset") or 0,
        total=arguments.get("calculateTotal") is True,
    )


def conditions(filter_: object) -> Iterator[tuple[str, Any]]:
    """Yield the conditions of a filter, all of which must hold. Raises `MethodError` for other combinations."""
    if filter_ is None:
        return
    if not isinstance(filter_, dict):
        raise MethodError("invalidArguments", "Invalid filter")
    if "operator" not in filter_:
        yield from filter_.items()
        return
    if filter_["operator"] != "AND":
        raise MethodError("unsupportedFilter", str(filter_["operator"]))
    for inner in filter_.get("conditions") or ():
        yield from conditions(inner)


def parse_sort(arguments: Mapping[str, Any], rules: Rules) -> tuple[str, bool]:
    """Return the property to sort by and whether ascending; only the first comparator counts."""
    sort = arguments.get("sort")
    if not sort:
        return rules.default_sort, False
    if not isinstance(sort, list) or not isinstance(sort[0], dict):
        raise MethodError("invalidArguments", "Invalid sort")
    name, ascending = str(sort[0].get("property")), sort[0].get("isAscending", True) is not False
    if rules.sort_ignored:
        return rules.default_sort, ascending
    if name not in rules.sorts:
        raise MethodError("unsupportedSort", name)
    return name, ascending


def matcher(key: str, asked: Any, rules: Rules) -> Callable[[Entry], bool]:
    """Return the test for one condition. Raises `MethodError` if this type does not support it."""
    suffix = next((name for name in _OPERATORS if key.endswith(name)), "")
    name = key.removesuffix(suffix) if suffix else key
    kind = rules.filters.get(name)
    if kind is None or (suffix and kind not in ("date", "number")):
        raise MethodError("unsupportedFilter", key)
    if kind == "ignored":
        return lambda entry: True
    value = _value(kind, asked)
    if value is None:
        raise MethodError("unsupportedFilter", key)
    if kind in ("date", "number"):
        compare = _OPERATORS.get(suffix, lambda own, wanted: bool(own == wanted))
        return lambda entry: entry.fields.get(name) is not None and compare(entry.fields[name], value)
    if kind == "words":
        words = value.lower().split()
        return lambda entry: all(word in entry.fields["text"] for word in words)
    if kind == "failed":
        # Only this state is distinguished; the others are accepted and match everything.
        return lambda entry: value != "Failed" or bool(entry.fields["failed"])
    if kind in ("substring", "contains"):
        return lambda entry: value in entry.fields[name]
    return lambda entry: bool(entry.fields.get(name) == value)


def _value(kind: FilterKind, asked: Any) -> Any:
    match kind:
        case "date":
            return moment(asked)
        case "number":
            return asked if isinstance(asked, int) and not isinstance(asked, bool) else None
        case "id":
            return id_of(asked)
        case _:
            return asked if isinstance(asked, str) else None


def query(entries: Sequence[Entry], arguments: Mapping[str, Any], rules: Rules) -> Json:
    """Return the response to a query over `entries`, which ascend by id."""
    tests = [matcher(key, asked, rules) for key, asked in conditions(arguments.get("filter"))]
    found = [entry for entry in entries if all(test(entry) for test in tests)]
    name, ascending = parse_sort(arguments, rules)
    paging = parse_paging(arguments)
    if rules.fast and name == "id" and not paging.total and paging.position != 0 and not paging.offset:
        return _fast(found, paging, ascending=ascending, rules=rules, filtered=bool(tests))
    return slice_ids([entry.number for entry in _sorted(found, name, ascending)], paging, rules)


def _sorted(entries: Sequence[Entry], name: str, ascending: bool) -> list[Entry]:
    if name == "id":
        return list(entries) if ascending else list(reversed(entries))

    def place(entry: Entry) -> tuple[bool, Any, int]:
        value = entry.fields[name]
        return value is None, value if value is not None else 0, entry.number

    return sorted(entries, key=place, reverse=not ascending)


def _fast(found: list[Entry], paging: Paging, *, ascending: bool, rules: Rules, filtered: bool) -> Json:
    if rules.index is not None and (filtered or rules.always_index):
        found = _sorted(found, rules.index, ascending=True)
    if paging.anchor is not None:
        anchor = id_of(paging.anchor)
        if anchor is None:
            raise MethodError("anchorNotFound")
        found = [entry for entry in found if entry.number > anchor]
    start = max(paging.position or 0, 0)
    page = found[start : start + paging.most]
    if not ascending:
        page.reverse()
    return answer([entry.number for entry in page], position=start if page else 0)


def slice_ids(numbers: Sequence[int], paging: Paging, rules: Rules) -> Json:
    """Return a page of a sorted result."""
    total = len(numbers)
    if paging.anchor is not None:
        anchor = id_of(paging.anchor)
        place = _place(numbers, anchor)
        start = max(place + paging.offset, 0)
        shown = start
        if rules.anchored_total:
            total, shown = total - place, paging.offset
    else:
        start = paging.position or 0
        start = shown = max(total + start, 0) if start < 0 else start
    page = numbers[start : start + paging.most]
    limit = paging.limit if paging.limit is not None else MAX_RESULTS
    return answer(
        page,
        position=shown if page else 0,
        total=total if paging.total else None,
        limit=min(limit, MAX_RESULTS) if total > limit or total > MAX_RESULTS else None,
    )


def _place(numbers: Sequence[int], anchor: int | None) -> int:
    try:
        return numbers.index(anchor if anchor is not None else -1)
    except ValueError:
        raise MethodError("anchorNotFound") from None


def answer(numbers: Sequence[int], *, position: int = 0, total: int | None = None, limit: int | None = None) -> Json:
    """Return the response of a query, without the account."""
    shown: Json = {
        "queryState": "n",
        "canCalculateChanges": True,
        "position": position,
        "ids": [encode_id(number) for number in numbers],
    }
    if total is not None:
        shown["total"] = total
    if limit is not None:
        shown["limit"] = limit
    return shown
