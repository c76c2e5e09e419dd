"""Conditions of increasing event counters: storage, logins, bans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.web.interfaces import Recent, ServerStatus
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.history import EVENT
from exporter.web.verdict.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class EventRule:
    """
    An alert on the increase of event counters within its window.

    Attributes:
        events: The alert's regular expression of event ids.
        limit: The name of its limit in the thresholds.
        summed: Whether the events are added up.
    """

    alert: str
    events: str
    limit: str
    what: str
    do: str
    summed: bool = False


RULES = (
    EventRule(
        "StalwartStoreErrors",
        "store[.](rocksdb|postgresql|mysql|sqlite|foundationdb|s3|azure|filesystem)-error"
        "|store[.](data-corruption|decompress-error|deserialize-error|crypto-error|unexpected-error)",
        "errors",
        "storage errors: {count} {event}",
        "Check the server's disk and its database.",
    ),
    EventRule(
        "StalwartAuthenticationErrors",
        "auth.error",
        "errors",
        "{count} logins could not be verified",
        "Check the server's directory (LDAP, SQL, OIDC).",
    ),
    EventRule(
        "StalwartStoreBackendErrors",
        "store[.](redis|elasticsearch|ldap|pool)-error",
        "errors",
        "{count} {event}",
        "Check the backend named in the event.",
    ),
    EventRule(
        "StalwartLoginFailures",
        "auth.failed",
        "failures",
        "{count} logins failed",
        "Find the account or the address in the log.",
    ),
    EventRule(
        "StalwartBans",
        "security[.].+-ban",
        "bans",
        "{count} addresses were banned",
        "Make sure that none of them is your own proxy or office.",
        summed=True,
    ),
    EventRule(
        "StalwartInboundMailLimited",
        "smtp.rate-limit-exceeded",
        "events",
        "inbound limits were exceeded {count} times",
        "Find the limit and the sender in the log.",
    ),
)

_WATCHED = re.compile("|".join(f"(?:{rule.events})" for rule in RULES))


def is_watched(event: str) -> bool:
    """Return whether an alert uses the counter of *event*."""
    return _WATCHED.fullmatch(event) is not None


def event_conditions(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    """Yield the conditions of event counters that increase too fast."""
    recent = server.recent
    if recent is None:
        return
    names = [name.removeprefix(EVENT) for name in recent.names() if name.startswith(EVENT)]
    for rule in RULES:
        threshold = limits.get(rule.alert)
        if threshold is None:
            continue
        window, limit = threshold["window"], threshold[rule.limit]
        for event, count in _increases(rule, names, recent, window):
            if count > limit:
                what = rule.what.format(count=f"{count:.0f}", event=event)
                yield Condition(alert=rule.alert, what=what, do=rule.do, about=event)


def _increases(rule: EventRule, names: list[str], recent: Recent, window: float) -> Iterator[tuple[str, float]]:
    found = [(n, recent.increase(EVENT + n, window)) for n in names if re.fullmatch(rule.events, n)]
    if rule.summed:
        yield "", sum(count for _, count in found)
    else:
        yield from found
