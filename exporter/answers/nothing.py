"""Why nothing was found, and where to look instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from exporter.answers.answer import Answer, Kind
from exporter.answers.asked import Asked
from exporter.answers.fate import Fate
from exporter.answers.texts import clock, distance, length, name
from exporter.domains import domain_of
from exporter.stalwart.events.snowflakes import moment_of
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import Span, TrailReader

RECENT = 500
"""How many recent recipients are compared with a name that was not found."""

UNREAD = timedelta(minutes=3)
PLAUSIBLE = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """
    What the configuration says about the trail.

    Attributes:
        enabled: Whether it is kept; ``None`` if no configuration was read.
        keep_seconds: How long it is kept.
    """

    enabled: bool | None = None
    keep_seconds: float = 0.0


def tell_nothing(reader: TrailReader, asked: Asked, wanted: TrailFilter, coverage: Coverage, now: datetime) -> Answer:
    """Return why nothing was found about *asked*."""
    what = _what(reader, asked)
    spans = [span for server in reader.servers if (span := reader.span(server)) is not None]
    spans = [span for span in spans if wanted.server in (None, span.server)]
    notes = [*_limits(asked, wanted, spans, coverage, now), *_nearest(reader, asked)]
    return Answer(
        kind=Kind.NOTHING,
        fate=Fate.NOT_FOUND,
        happened=f"Nothing is known about {what}.",
        todo=_todo(asked, spans),
        notes=notes,
        server=wanted.server or "",
    )


def _what(reader: TrailReader, asked: Asked) -> str:
    """Return what was asked for, unless it names a domain that the reader may not know of."""
    if reader.only_domain is not None and not asked.queue_ids and asked.remote_ip is None:
        own = reader.only_domain in (asked.domain, domain_of(asked.address or ""), domain_of(asked.message_id or ""))
        return f"{name(asked.text)}" if own else f"that in {name(reader.only_domain)}"
    if asked.is_nothing:
        shown = name(asked.text) or "an empty text"
        return f"{shown}: it is no queue id, message id, address, domain, account or IP address"
    return name(asked.text)


def _limits(
    asked: Asked, wanted: TrailFilter, spans: Sequence[Span], coverage: Coverage, now: datetime
) -> Sequence[str]:
    if coverage.enabled is False:
        return ["The trail is switched off ([trail] enabled = false), so nothing is kept."]
    if not spans:
        whose = f" of {name(wanted.server)}" if wanted.server else ""
        return [
            f"The trail has no message{whose} yet: it begins when the daemon reads the first deliveries"
            " (`stalwart-exporter doctor` shows whether it can)."
        ]
    said = []
    for span in spans:
        source = {"log": "the log", "traces": "stored traces", "live": "live traces", "webhook": "webhooks"}
        read = f", read from {source[span.source]}" if span.source in source else ""
        said.append(
            f"The trail of {name(span.server)} goes from {clock(span.oldest_at, now)} to {clock(span.newest_at, now)}"
            f" ({distance(span.newest_at, now)}){read}."
        )
    if coverage.keep_seconds:
        said.append(f"Events are kept for {length(round(coverage.keep_seconds))}.")
    if wanted.since is not None:
        said.append(f"Only mail since {clock(wanted.since, now)} was looked at (--since).")
    return [*said, *_about_id(asked, spans, now), *_about_source(asked, spans)]


def _about_id(asked: Asked, spans: Sequence[Span], now: datetime) -> Sequence[str]:
    created = [moment_of(id_) for id_ in asked.queue_ids if now - PLAUSIBLE < moment_of(id_) <= now + UNREAD]
    if not created:
        return ["As a queue id, it contains no plausible time: is it complete?"] if asked.queue_ids else []
    at = created[0]
    oldest, newest = min(span.oldest_at for span in spans), max(span.newest_at for span in spans)
    if at < oldest:
        return [f"The id was given out at {clock(at, now)}, before the trail begins."]
    if at > newest:
        return [
            f"The id was given out at {clock(at, now)}, after the newest event that was read: ask again in a minute."
        ]
    return [
        f"The id was given out at {clock(at, now)}: is it from another server, or from a message that was not queued?"
    ]


def _about_source(asked: Asked, spans: Sequence[Span]) -> Sequence[str]:
    said = []
    if asked.message_id is not None and (asked.address is None or asked.text.startswith("<")):
        said.append("Message ids are known only of mail that was stored in a mailbox of this server.")
    if asked.address is not None and any(span.source == "log" for span in spans):
        said.append(
            "A log at level info has no failed logins and no senders refused by a rule; webhooks or live traces do."
        )
    if asked.remote_ip is not None:
        said.append("Only refused sessions are found by the address of the client.")
    return said


def _nearest(reader: TrailReader, asked: Asked) -> Sequence[str]:
    """Return the most similar names of recent mail."""
    if asked.address is not None:
        domain = domain_of(asked.address)
        known = [one for one in reader.recent_addresses(domain, most=RECENT) if not one.startswith(("~", "@"))]
        close = get_close_matches(asked.address, known, n=3, cutoff=0.7)
        if not known:
            return _similar_domains(reader, domain)
        return [f"Known addresses like it: {', '.join(map(name, close))}."] if close else []
    return _similar_domains(reader, asked.domain) if asked.domain is not None and "." in asked.domain else []


def _similar_domains(reader: TrailReader, domain: str) -> Sequence[str]:
    if reader.only_domain is not None:
        return []
    close = [one for one in get_close_matches(domain, reader.recent_domains(most=RECENT), n=3, cutoff=0.7)]
    return [f"Known domains like it: {', '.join(map(name, close))}."] if close else []


def _todo(asked: Asked, spans: Sequence[Span]) -> Sequence[str]:
    said = ["`stalwart-exporter trail list` shows the newest messages."] if spans else []
    if asked.address is not None:
        said.append(
            "Reports that were mailed to this server are in `stalwart-exporter reports list`, not in the trail."
        )
    return said
