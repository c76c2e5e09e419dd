"""Filters given as text, in options of a command or in the address of a page; the same names and values in both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from exporter.domains import domain_name
from exporter.errors import FilterError
from exporter.model.delivery import Outcome
from exporter.model.report_words import ReportKind
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.reports.filter import RESULTS as REPORT_RESULTS
from exporter.store.reports.filter import ReportFilter
from exporter.store.trail.filter import TrailFilter
from exporter.units import parse_duration

RESULTS: Mapping[str, Outcome] = {
    "delivered": Outcome.DELIVERED,
    "failed": Outcome.PERMANENT_FAILURE,
    "deferred": Outcome.TEMPORARY_FAILURE,
}
KINDS = [kind.value for kind in MessageKind if kind is not MessageKind.UNKNOWN]

Given = Mapping[str, str | None]
"""Options by name, as given; those that are missing or ``None`` filter nothing."""


class Options:
    """Reads options; *sign* precedes their names in errors, as ``--`` does in those of a command."""

    def __init__(self, given: Given, *, now: datetime, sign: str = "") -> None:
        self._given = given
        self._now = now
        self._sign = sign

    @property
    def given(self) -> Given:
        """The options as given."""
        return self._given

    def text(self, name: str) -> str | None:
        """Return an option as it is."""
        return self._given.get(name)

    def domain(self, name: str) -> str | None:
        """Return a domain in the form used in the history."""
        given = self._given.get(name)
        return None if given is None else domain_of(self._named(name), given)

    def moment(self, name: str) -> datetime | None:
        """Return a time."""
        given = self._given.get(name)
        return None if given is None else moment_of(self._named(name), given, now=self._now)

    def one_of(self, name: str, words: Iterable[str]) -> str | None:
        """Return the one of *words* that was given, in any case."""
        given = self._given.get(name)
        return None if given is None else one_of(self._named(name), given, words)

    def number(self, name: str, *, usual: int, most: int) -> int:
        """Return a whole number from 1 to *most*; *usual* if it is missing."""
        given = self._given.get(name)
        if given is None:
            return usual
        if not (given.isascii() and given.isdigit() and len(given) <= 9 and 1 <= int(given) <= most):
            raise FilterError(f"{self._named(name)}: a number from 1 to {most}")
        return int(given)

    def is_set(self, name: str) -> bool:
        """Return whether a switch is on: ``1`` or ``0``."""
        given = self._given.get(name)
        if given not in (None, "0", "1"):
            raise FilterError(f"{self._named(name)}: 1 or 0")
        return given == "1"

    def refuse(self, words: str) -> FilterError:
        """Return an error whose *words* have the names of options in braces."""
        return FilterError(words.replace("{", self._sign).replace("}", ""))

    def _named(self, name: str) -> str:
        return self._sign + name.replace("_", "-")


def report_filter(options: Options, *, since: datetime | None = None) -> ReportFilter:
    """Return the filter that the options of `reports` describe, by default *since* then; raises `FilterError`."""
    kind = options.one_of("kind", [*ReportKind])
    return ReportFilter(
        server=options.text("server"),
        domain=options.domain("domain"),
        kind=None if kind is None else ReportKind(kind),
        reporter=options.text("reporter"),
        since=options.moment("since") or since,
        until=options.moment("until"),
        result=options.one_of("result", REPORT_RESULTS),
    )


def trail_filter(options: Options, *, refused: bool) -> TrailFilter:
    """Return the filter that the options of `trail` describe, with *refused* for refusals; raises `FilterError`."""
    if refused and (options.text("kind") is not None or options.text("result") is not None):
        raise options.refuse("{kind} and {result} are about messages, not about refusals ({refused})")
    if not refused and (options.text("reason") is not None or options.text("client") is not None):
        raise options.refuse("{reason} and {client} are about refusals: add {refused}")
    address = options.text("address")
    kind, result = options.one_of("kind", KINDS), options.one_of("result", RESULTS)
    reason = options.one_of("reason", [*RefusalReason])
    return TrailFilter(
        server=options.text("server"),
        domain=options.domain("domain"),
        address=None if address is None else address.strip().lower(),
        account=options.text("account"),
        remote_ip=options.text("client"),
        kind=None if kind is None else MessageKind(kind),
        outcome=None if result is None else RESULTS[result],
        reason=None if reason is None else RefusalReason(reason),
        since=options.moment("since"),
        until=options.moment("until"),
        only_domain=options.domain("only_domain"),
    )


def domain_of(option: str, text: str) -> str:
    """Return a domain in the form used in the history; raises `FilterError`."""
    name = domain_name(text.strip())
    if name is None:
        raise FilterError(f"{option}: not a domain name")
    return name


def moment_of(option: str, text: str, *, now: datetime) -> datetime:
    """Parse a date, an RFC 3339 time, or an age (``7d``, ``12h``); raises `FilterError`."""
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FilterError(
            f"{option}: a date (2026-11-21), a time (2026-11-21T10:00:00Z) or how long ago (7d, 12h)"
        ) from None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise FilterError(f"{option}: not a time that UTC has") from None


def one_of(option: str, text: str, words: Iterable[str]) -> str:
    """Return the one of *words* that was given, in any case; raises `FilterError`."""
    if text.lower() not in (known := list(words)):
        raise FilterError(f"{option}: one of {', '.join(known)}")
    return text.lower()
