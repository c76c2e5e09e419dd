"""
When the first mailbox is full, from the growth that was seen.

Of each observed account two earlier uses are kept. Its growth is measured from the older one, which is between half a
`WINDOW_SECONDS` and a whole one old once the account has been observed for that long. The state is saved with the
watermarks, so that a restart of the exporter measures on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from exporter.model.inventory import FULLEST_KEPT, QuotaUse

WINDOW_SECONDS = 7 * 86_400
DAY_SECONDS = 86_400
MEASURED_SECONDS = DAY_SECONDS
"""Growth over less than this says little: mail comes by the hour of the day."""

FAR_SECONDS = 10 * 365 * 86_400
"""A mailbox that would be full later than this does not count as growing."""


class Mark(NamedTuple):
    """The bytes that an account used at a time, in Unix seconds."""

    at: int
    used: int


class Course(NamedTuple):
    """
    Earlier uses of one account.

    Attributes:
        base: From which growth is measured.
        later: What becomes the base next; ``None`` while there is none.
    """

    base: Mark
    later: Mark | None


def advance(course: Course | None, now: Mark) -> Course:
    """Return what to keep of an account that uses *now*; after a clean-up or a clock set back it begins again."""
    if course is None or now.used < course.base.used or now.at < course.base.at:
        return Course(now, None)
    if course.later is None:
        return Course(course.base, now if now.at - course.base.at >= WINDOW_SECONDS / 2 else None)
    if now.at - course.base.at >= WINDOW_SECONDS:
        return Course(course.later, now) if now.used >= course.later.used else Course(now, None)
    return course


def full_at(course: Course, now: Mark, quota: int) -> float | None:
    """Return when the account is full, in Unix seconds; ``None`` if it does not grow, or has not been seen for long."""
    seconds, grown = now.at - course.base.at, now.used - course.base.used
    if seconds < MEASURED_SECONDS or grown <= 0:
        return None
    left = max(0, quota - now.used) * seconds / grown
    return now.at + left if left <= FAR_SECONDS else None


class Growth:
    """The observed accounts of one server, by the server's ids."""

    def __init__(self, generation: str = "", courses: Mapping[str, Course] | None = None) -> None:
        self._generation = generation
        self._courses = dict(courses or {})

    @classmethod
    def restore(cls, state: Any) -> Growth:
        """Return what *state* of `state` has; raises one of the errors of a damaged state."""
        courses = {}
        for account, (base, later) in state["accounts"].items():
            courses[str(account)] = Course(_mark(base), None if later is None else _mark(later))
        return cls(str(state["generation"]), courses)

    def state(self) -> dict[str, Any]:
        """Return what has to be saved; bounded by `FULLEST_KEPT`."""
        return {"generation": self._generation, "accounts": self._courses}

    def observe(self, uses: Iterable[QuotaUse], *, generation: str, at: int) -> float | None:
        """
        Keep what *uses* at *at* say, forget other accounts, and return when the first one is full.

        Ids of another *generation* name other accounts.
        """
        before = self._courses if generation == self._generation else {}
        self._generation, self._courses = generation, {}
        first: float | None = None
        for use in list(uses)[:FULLEST_KEPT]:
            now = Mark(at, use.used)
            known = before.get(use.account_id)
            full = None if known is None else full_at(known, now, use.quota)
            first = full if first is None else first if full is None else min(first, full)
            self._courses[use.account_id] = advance(known, now)
        return first


def _mark(pair: Any) -> Mark:
    at, used = pair
    return Mark(int(at), int(used))
