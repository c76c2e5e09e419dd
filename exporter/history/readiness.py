"""What to do about a domain's DMARC policy, in words."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.history.texts import counted, number, share
from exporter.store.reports.dmarc.readiness import (
    ENOUGH_DAYS,
    ENOUGH_MESSAGES,
    ENOUGH_REPORTERS,
    MOST_SILENT_DAYS,
    Readiness,
    SourceKind,
    Verdict,
)

KIND_WORDS = {
    SourceKind.OURS: "ours",
    SourceKind.ALIGNED: "also aligned",
    SourceKind.FORWARDER: "forwarder",
    SourceKind.SERVICE: "service",
    SourceKind.REGULAR: "regular",
    SourceKind.STRANGER: "stranger",
}
"""A kind of source as in tables."""

KIND_ADVICE = {
    SourceKind.OURS: "from your own hosts: let them sign with DKIM, and list them in SPF",
    SourceKind.ALIGNED: "from hosts that also send aligned mail: find the application that does not sign",
    SourceKind.FORWARDER: "forwarded or from lists: DKIM survives forwarding, SPF does not",
    SourceKind.SERVICE: "authenticated for another domain: have the service sign with your domain, if it is yours",
    SourceKind.REGULAR: "unauthenticated from the same hosts day after day: find out whose they are",
    SourceKind.STRANGER: "from strangers: what the policy is meant for",
}
"""What each kind means, after a number of messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAdvice:
    """
    The advice on a stricter policy.

    Attributes:
        step: ``none``, ``wait``, ``quarantine``, ``reject`` or ``repair``: what to do next.
        words: The same in words.
    """

    step: str
    words: str


def advise(readiness: Readiness) -> PolicyAdvice:
    """Return the next step that the numbers of the window suggest."""
    if readiness.verdict is Verdict.DONE:
        return PolicyAdvice(step="none", words="p=reject is published: there is no stricter policy.")
    if readiness.verdict is Verdict.THIN:
        return PolicyAdvice(step="wait", words=f"Too early to tell: {_lacking(readiness)}")
    numbers = _numbers(readiness)
    if readiness.verdict is Verdict.NOT_READY:
        return PolicyAdvice(
            step="repair", words=f"Not ready: {numbers}, from {counted(readiness.source_count, 'source')}."
        )
    if readiness.ready_for == "reject":
        return PolicyAdvice(step="reject", words=f"Ready for p=reject: {numbers}.")
    return PolicyAdvice(step="quarantine", words=f"Ready for p=quarantine, not yet for p=reject: {numbers}.")


def explain(readiness: Readiness) -> list[str]:
    """Return one line per kind of failing source, the largest first: how many messages, and what they are."""
    kinds = sorted(readiness.by_kind.items(), key=lambda item: (item[0] is SourceKind.STRANGER, -item[1]))
    return [f"{number(messages)} {KIND_ADVICE[kind]}" for kind, messages in kinds if messages]


def evidence(readiness: Readiness) -> str:
    """Return what the verdict rests on: ``3 230 messages over 30 days from 2 reporters``."""
    messages, days = counted(readiness.messages, "message"), counted(readiness.days, "day")
    return f"{messages} over {days} from {counted(readiness.reporters, 'reporter')}"


def _lacking(readiness: Readiness) -> str:
    stale = f"a report of the last {MOST_SILENT_DAYS} days"
    if list(readiness.lacking) == [stale]:
        return f"{evidence(readiness)}, but none is newer than {MOST_SILENT_DAYS} days."
    return (
        f"{evidence(readiness)}; needs at least {ENOUGH_MESSAGES} messages over {ENOUGH_DAYS} days"
        f" from {ENOUGH_REPORTERS} reporters."
    )


def _numbers(readiness: Readiness) -> str:
    forwarded = readiness.by_kind.get(SourceKind.FORWARDER, 0)
    strangers = readiness.by_kind.get(SourceKind.STRANGER, 0)
    parts = [f"{share(readiness.failed, readiness.messages)} of {counted(readiness.messages, 'message')} fail"]
    if forwarded:
        parts.append(f"{number(forwarded)} of them forwarded or from lists")
    if strangers:
        parts.append(f"{number(strangers)} of them from strangers, which do not count")
    return ", ".join(parts)
