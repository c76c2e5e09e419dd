"""Pictures of DMARC results: messages per day, and the policies that were published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup

from exporter.history.texts import day, number, share
from exporter.store.reports.dmarc.days import WEEK_SECONDS, DayResult, PolicyAt
from exporter.store.reports.sums import DAY_SECONDS
from exporter.web.pictures.bars import Column, bars
from exporter.web.pictures.drawing import Kind
from exporter.web.pictures.timeline import Span, timeline

MOST_COLUMNS = 31
"""Days of a longer time are drawn several to a column."""

POLICY_KINDS: Mapping[str, Kind] = {"reject": Kind.GOOD, "quarantine": Kind.WAIT, "none": Kind.BAD}


def alignment_bars(days: Sequence[DayResult], *, first_day: int, last_day: int, domain: str) -> Markup:
    """Return the aligned and failed messages from the Unix day *first_day* to *last_day*."""
    width = -(-(last_day - first_day + 1) // MOST_COLUMNS)
    by_column: dict[int, list[DayResult]] = {}
    for one in days:
        by_column.setdefault((one.day - first_day) // width, []).append(one)
    count = (last_day - first_day) // width + 1
    columns = [_column(first_day + n * width, width, by_column.get(n, ())) for n in range(count)]
    aligned, failed = sum(one.aligned for one in days), sum(one.failed for one in days)
    return bars(columns, text=f"{domain}: {number(aligned)} aligned and {number(failed)} failed messages")


def _column(first: int, width: int, days: Sequence[DayResult]) -> Column:
    when = day(first * DAY_SECONDS)
    if width > 1:
        when += f" to {day((first + width - 1) * DAY_SECONDS)}"
    if not days:
        return Column(text=f"{when}: no report", unknown=True)
    aligned, failed = sum(one.aligned for one in days), sum(one.failed for one in days)
    whole = aligned + failed
    text = f"{when}: {number(aligned)} aligned, {number(failed)} failed"
    text += f", {share(aligned, whole)} aligned" if whole else ""
    return Column(text=text, parts=((Kind.GOOD, aligned), (Kind.BAD, failed)))


def policy_band(policies: Sequence[PolicyAt], *, domain: str) -> Markup:
    """Return the policies that were published as a band; weeks without a report are gaps."""
    if not policies:
        return Markup("")
    spans = list(_spans(policies))
    return timeline(
        [],
        begin=spans[0].begin,
        end=spans[-1].end,
        spans=spans,
        text=f"Policies of {domain}: " + ", then ".join(span.text for span in spans),
    )


def _spans(policies: Sequence[PolicyAt]) -> Iterator[Span]:
    for (_, words), run in groupby(
        enumerate(policies), key=lambda item: (_weeks_apart(item, policies), words_of(item[1]))
    ):
        held = [one for _, one in run]
        begin = datetime.fromtimestamp(held[0].at - WEEK_SECONDS, UTC)
        end = datetime.fromtimestamp(held[-1].at, UTC)
        kind = Kind.WAIT if held[0].partial else POLICY_KINDS.get(held[0].policy, Kind.OFF)
        text = f"{words} from {day(int(begin.timestamp()))} to {day(held[-1].at)}"
        yield Span(begin=begin, end=end, text=text, kind=kind)


def _weeks_apart(item: tuple[int, PolicyAt], policies: Sequence[PolicyAt]) -> int:
    """Return a number that is the same for weeks that follow each other without a gap."""
    place, policy = item
    return (policy.at - policies[0].at) // WEEK_SECONDS - place


def words_of(policy: PolicyAt) -> str:
    """Return a policy as in DNS: ``p=reject``; a part of the mail is said."""
    return f"p={policy.policy}" + (" for a part of the mail" if policy.partial else "")
