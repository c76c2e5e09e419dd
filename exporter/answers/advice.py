"""What an operator can do about a message that has not arrived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from exporter.answers.message import OVERDUE, is_unread
from exporter.answers.queue_state import LiveState
from exporter.answers.standing import FAILED, PENDING, Standing
from exporter.answers.texts import enhanced_code, name
from exporter.model.queue import FailureReason
from exporter.model.trail import Mailbox, RecipientState

QUEUE = "stalwart-exporter queue"
NULL_MX = "null MX"


def advise(standings: Sequence[Standing], live: LiveState, *, server: str, now: datetime) -> Sequence[str]:
    """Return what to do, most important first; empty if there is nothing to do."""
    said: dict[str, None] = {}
    pending = [one for one in standings if one.state in PENDING]
    if live.running is False and pending:
        said[f"Deliveries are paused on this server: `{QUEUE} resume --server {name(server)}` starts them again."] = (
            None
        )
    elif any(one.next_retry is not None and one.next_retry + OVERDUE < now for one in pending):
        said["Check whether the queue is paused or stuck: see the runbook StalwartQueueStuck."] = None
    for one in standings:
        said.update(dict.fromkeys(() if is_unread(one, now) else _about(one)))
    if pending and live.message is not None:
        id_ = name(live.message.id)
        said[f"Once the cause is gone, `{QUEUE} retry --server {name(server)} {id_}` tries it at once."] = None
    return list(said)


def _about(one: Standing) -> Sequence[str]:
    if one.state is RecipientState.DELIVERED:
        junk = one.recipient.mailbox is Mailbox.JUNK
        return ["The recipient finds it in the Junk folder; moving it to the inbox trains the filter."] if junk else []
    if one.state is RecipientState.LOST:
        return [f"Send it again if it is still needed; `{QUEUE} log` shows what was cancelled with this program."]
    if one.over_quota:
        return [f"Free space in the mailbox of {name(one.recipient.address)}, or raise its quota."]
    if one.limiter:
        return ["Nothing if the limit is meant; else raise the server's outbound limit for this destination."]
    if one.state not in (*FAILED, *PENDING) or not (one.recipient.reason or one.recipient.code):
        return []
    return _by_reason(one)


def _by_reason(one: Standing) -> Sequence[str]:
    recipient = one.recipient
    if recipient.reason == FailureReason.UNEXPECTED_RESPONSE:
        return _by_reply(one)
    if NULL_MX in one.text:
        return ["The domain declares that it accepts no mail: the recipient has to be reached at another address."]
    words = _REASONS.get(recipient.reason)
    return [] if words is None else [words(name(recipient.domain), name(recipient.hostname))]


def _by_reply(one: Standing) -> Sequence[str]:
    code, text = one.recipient.code, one.text
    host = name(one.recipient.hostname) or "the remote server"
    if one.state in PENDING and code in ("450", "451") and one.attempts < 2:
        return ["Nothing yet: such a reply is often greylisting, which the next attempt passes."]
    if one.state in PENDING:
        return [f"Nothing yet: the server keeps trying. If the reply stays the same, ask the postmaster of {host}."]
    if code.startswith("4"):
        return [f"{host} put it off until the time was over: ask its postmaster why, then have it sent again."]
    subject = enhanced_code(text)[1:]
    for known, words in _SUBJECTS:
        if subject == known or subject.startswith(f"{known}."):
            return [words]
    return [f"The reply is the decision of {host}: the sender has to act on what it says."]


_SUBJECTS = (
    (".1.1", "The address does not exist there: the sender has to correct it."),
    (".1.2", "The domain of the address does not accept it: the sender has to check the spelling."),
    (".1.10", "The address does not exist there: the sender has to correct it."),
    (".2.1", "The mailbox is disabled there: the recipient has to be reached in another way."),
    (".2.2", "The recipient's mailbox is full: the recipient has to be reached in another way."),
    (".3.4", "The message is too large there: the sender has to share the file in another way."),
    (".7", "The destination refused it by policy: check this server's address in DNS blocklists, and SPF and DKIM."),
)
_REASONS: Mapping[str, Callable[[str, str], str]] = {
    FailureReason.DNS_ERROR: lambda domain, host: (
        f"Compare with `dig MX {domain}`: if it has a mail server, check the resolver of this server;"
        " if not, the sender has to check the spelling."
    ),
    FailureReason.CONNECTION_ERROR: lambda domain, host: (
        f"Check from the mail server: `nc -vz {host or domain} 25`. If others can be reached, it is down or blocks us."
    ),
    FailureReason.TLS_ERROR: lambda domain, host: (
        f"Check from the mail server: `openssl s_client -starttls smtp -connect {host or domain}:25`."
    ),
    FailureReason.DANE_ERROR: lambda domain, host: (
        f"The certificate of {host or domain} does not fit its TLSA record: tell its postmaster."
    ),
    FailureReason.MTA_STS_ERROR: lambda domain, host: (
        f"{host or domain} does not fit the policy at https://mta-sts.{domain}/: tell its postmaster."
    ),
}
