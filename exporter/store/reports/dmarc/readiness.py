"""
Whether a domain is ready for a stricter DMARC policy, and which mail that policy would hurt.

Failing mail is put down to its sources. Mail of strangers that neither authenticate nor come back is what the policy is
meant for. All other failing mail counts against it, known forwarders and lists included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ENOUGH_MESSAGES = 100
ENOUGH_DAYS = 14
"""Fewer days are not representative of a domain's mail."""

ENOUGH_REPORTERS = 2
"""A single reporter sees only the mail to itself."""

MOST_SILENT_DAYS = 7
"""If the latest report is older, the data says nothing about today."""

REJECT_SHARE = 0.005
"""At most this share of messages may be hurt before ``p=reject`` is advised; forwarding alone causes as much."""

QUARANTINE_SHARE = 0.02

REGULAR_DAYS = 3
"""A source that fails on fewer days is not regular."""


class SourceKind(StrEnum):
    """What a failing source is to the domain, the first that applies."""

    OURS = "ours"
    """An address of the server, or a host whose confirmed name is within the server's domains."""

    ALIGNED = "aligned"
    """Also sends mail that passes."""

    FORWARDER = "forwarder"
    """A mailbox provider, forwarder or list: by its confirmed name, or in the reporter's words."""

    SERVICE = "service"
    """Passes SPF or DKIM for another domain, or is known to send on behalf of its customers."""

    REGULAR = "regular"
    """Authenticates nothing, but comes back day after day: possibly a forgotten device or application."""

    STRANGER = "stranger"
    """Anything else: most likely forged mail."""


class Verdict(StrEnum):
    """The answer; `THIN` is neither yes nor no."""

    READY = "ready"
    NOT_READY = "not_ready"
    THIN = "thin"
    DONE = "done"
    """The strictest policy is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingSource:
    """
    A source address with failing mail, in messages.

    Attributes:
        name: The confirmed host name; empty if there is none or it is not known.
        sender: The known organisation behind the name, or the name of its network; empty if unknown.
        authenticated: Failed messages that passed SPF or DKIM for another domain.
        forwarded: Failed messages that reporters call forwarded or from a list.
        days: Days on which it failed.
    """

    source: str
    kind: SourceKind
    name: str
    sender: str
    aligned: int
    failed: int
    authenticated: int
    forwarded: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """
    The state of one domain before its next policy; sums are of messages in the window.

    Attributes:
        published: The policy in the newest report: ``none``, ``quarantine``, ``reject``, or empty without reports.
        next_policy: The next stricter one; empty if there is none.
        ready_for: The strictest policy that the data supports; empty if none, or if the data is thin.
        days: Days that reports are about.
        hurt: Failing messages that the next policy would hurt: all but those of strangers.
        by_kind: Failing messages by kind of source; kinds without any are absent.
        lacking: What the data lacks, in words; empty if it is enough.
        sources: The largest failing sources, those that would be hurt first.
    """

    domain: str
    verdict: Verdict
    published: str
    next_policy: str
    ready_for: str
    days: int
    reporters: int
    aligned: int
    failed: int
    hurt: int
    by_kind: Mapping[SourceKind, int]
    lacking: Sequence[str]
    source_count: int
    sources: Sequence[FailingSource]

    @property
    def messages(self) -> int:
        """All messages of the window."""
        return self.aligned + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """
    What the reports of a window say about a domain.

    Attributes:
        policy: The newest published policy, with ``policy``, ``percent`` and ``testing``; empty without reports.
        silent_days: Days since the latest report ended.
    """

    domain: str
    policy: Mapping[str, object]
    days: int
    reporters: int
    silent_days: int
    aligned: int
    failed: int
    by_kind: Mapping[SourceKind, int]
    source_count: int
    sources: Sequence[FailingSource]


def judge(data: Data) -> Readiness:
    """Return the readiness that *data* supports."""
    published, following = _policies(data.policy)
    hurt = sum(messages for kind, messages in data.by_kind.items() if kind is not SourceKind.STRANGER)
    within = _within(hurt, data.aligned + hurt)
    lacking = _lacking(data)
    # A single reporter cannot show that a domain is ready, but it can show that it is not.
    few_reporters_only = len(lacking) == 1 and data.reporters < ENOUGH_REPORTERS
    harmful = following not in ("", *_looser(within))
    if not following:
        verdict = Verdict.DONE
    elif lacking and not (few_reporters_only and harmful):
        verdict = Verdict.THIN
    else:
        verdict = Verdict.NOT_READY if harmful else Verdict.READY
    return Readiness(
        domain=data.domain,
        verdict=verdict,
        published=published,
        next_policy=following,
        ready_for=within if verdict is Verdict.READY else "",
        days=data.days,
        reporters=data.reporters,
        aligned=data.aligned,
        failed=data.failed,
        hurt=hurt,
        by_kind=dict(data.by_kind),
        lacking=lacking,
        source_count=data.source_count,
        sources=data.sources,
    )


def _policies(policy: Mapping[str, object]) -> tuple[str, str]:
    """Return the published policy and the next one; a policy for a part of the mail comes before the whole one."""
    published = str(policy.get("policy") or "")
    partial = bool(policy.get("testing")) or policy.get("percent") not in (None, 100)
    if published == "reject":
        return published, "reject" if partial else ""
    if published == "quarantine":
        return published, "quarantine" if partial else "reject"
    return published, "quarantine"


def _within(hurt: int, messages: int) -> str:
    if hurt <= REJECT_SHARE * messages:
        return "reject"
    return "quarantine" if hurt <= QUARANTINE_SHARE * messages else ""


def _looser(policy: str) -> tuple[str, ...]:
    """Return *policy* and those that are less strict."""
    return {"reject": ("quarantine", "reject"), "quarantine": ("quarantine",)}.get(policy, ())


def _lacking(data: Data) -> list[str]:
    lacking = []
    if data.aligned + data.failed < ENOUGH_MESSAGES:
        lacking.append(f"{ENOUGH_MESSAGES} messages")
    if data.days < ENOUGH_DAYS:
        lacking.append(f"{ENOUGH_DAYS} days")
    if data.reporters < ENOUGH_REPORTERS:
        lacking.append(f"{ENOUGH_REPORTERS} reporters")
    if data.silent_days > MOST_SILENT_DAYS:
        lacking.append(f"a report of the last {MOST_SILENT_DAYS} days")
    return lacking


def kind_of(
    *, ours: bool, known: str, aligned: int, failed: int, authenticated: int, forwarded: int, days: int, of_days: int
) -> SourceKind:
    """
    Return what a failing source is.

    *known* is the kind of the known sender behind it, empty if there is none. It failed on *days* of the *of_days* with
    data.
    """
    if ours:
        return SourceKind.OURS
    if aligned:
        return SourceKind.ALIGNED
    if known in ("mailboxes", "forwarder") or 2 * forwarded >= failed:
        return SourceKind.FORWARDER
    if known == "service" or 2 * authenticated >= failed:
        return SourceKind.SERVICE
    return SourceKind.REGULAR if days >= max(REGULAR_DAYS, of_days / 2) else SourceKind.STRANGER
