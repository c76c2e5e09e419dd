"""A refused session, recipient or message in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from exporter.answers.texts import clock, name, person, reply
from exporter.model.trail import Refusal, RefusalReason

_WHY: Mapping[RefusalReason, str] = {
    RefusalReason.AUTHENTICATION: "the login was wrong or not allowed",
    RefusalReason.BANNED: "this server has banned the client's address",
    RefusalReason.DMARC: "the message failed DMARC, and the sender's domain asks to reject such mail",
    RefusalReason.FILTER: "a filter (Sieve script, milter or MTA hook) of this server refused it",
    RefusalReason.GREYLISTED: "greylisting asked the sender to try again in a few minutes",
    RefusalReason.IPREV: "the client's address has no matching reverse DNS name",
    RefusalReason.LIMIT: "a limit of this server (rate, connections, recipients or time) was reached",
    RefusalReason.LOOP: "the message was going in circles",
    RefusalReason.NOT_ACCEPTED: "the session ended without a queued message",
    RefusalReason.PERMISSION: "the account lacks the permission",
    RefusalReason.QUOTA: "the quota of this server's queue was used up",
    RefusalReason.RELAY: "the recipient is not a mailbox of this server, and the client may not relay",
    RefusalReason.SENDER: "this server does not allow the sender address",
    RefusalReason.SIZE: "the message was larger than this server accepts",
    RefusalReason.SPAM_DISCARDED: "the spam filter threw it away, although the sender was told that it was accepted",
    RefusalReason.SPAM_REJECTED: "its spam score was too high",
    RefusalReason.SPF: "the client is not allowed to send for the sender's domain (SPF)",
    RefusalReason.SYNTAX: "the client's command or the message was malformed",
    RefusalReason.UNKNOWN_RECIPIENT: "the mailbox does not exist on this server",
}

_IN_SESSION = "the server does not report why: a strict check of SPF or reverse DNS, a rule, or the client gave up"
_AT_DATA = (
    "the server does not report why: the spam filter, a strict check of DMARC, another filter, or the client gave up"
)

_TODO: Mapping[RefusalReason, str] = {
    RefusalReason.AUTHENTICATION: "Check name and password in the client; many of these from one client are an attack.",
    RefusalReason.BANNED: "If the client is legitimate, lift the ban in the server's list of blocked addresses.",
    RefusalReason.DMARC: "The sender's domain has to fix SPF or DKIM; a forwarder has to rewrite the sender.",
    RefusalReason.FILTER: "Look at the filter that refused it.",
    RefusalReason.GREYLISTED: "Nothing: a real mail server tries again and is then accepted.",
    RefusalReason.IPREV: "The sender's provider has to set a matching PTR record, or relax the check of reverse DNS.",
    RefusalReason.LIMIT: "If the client is legitimate, raise the limit for it.",
    RefusalReason.LOOP: "Look for two forwardings that point at each other.",
    RefusalReason.NOT_ACCEPTED: "Ask the sender for the reply that it got. Webhooks and live traces report more.",
    RefusalReason.PERMISSION: "Give the account's role the permission, if it should have it.",
    RefusalReason.QUOTA: "Look at the length of the queue, then raise the quota.",
    RefusalReason.RELAY: "If the domain should be hosted here, add it; if the client is your own, it has to log in.",
    RefusalReason.SENDER: "Check the server's rule for sender addresses, and the DNS blocklists that it uses.",
    RefusalReason.SIZE: "Raise the limit, or have the sender share the file in another way.",
    RefusalReason.SPAM_DISCARDED: "If it was legitimate, allow the sender or raise the threshold for discarding.",
    RefusalReason.SPAM_REJECTED: "If it was legitimate, allow the sender or raise the filter's threshold.",
    RefusalReason.SPF: "The sender's domain has to list the client in its SPF record, or relax the check of SPF.",
    RefusalReason.SYNTAX: "The sending software has to be fixed.",
    RefusalReason.UNKNOWN_RECIPIENT: "Check the spelling; create the mailbox or an alias if it should exist.",
}


def tell_refusal(refusal: Refusal, now: datetime) -> str:
    """Return what was refused, when and why, as a sentence."""
    sender = f" from {person(refusal.sender)}" if refusal.sender else ""
    whom = f" to {person(refusal.recipient)}" if refusal.recipient else ""
    account = f" of the account {name(refusal.account)}" if refusal.account else ""
    client = f" (client {name(refusal.remote_ip)})" if refusal.remote_ip else ""
    at = clock(refusal.at, now)
    why = _WHY[refusal.reason]
    if refusal.reason is RefusalReason.NOT_ACCEPTED:
        why += f"; {_AT_DATA if refusal.recipient else _IN_SESSION}"
    said = reply(refusal.code, refusal.text) if not refusal.is_inferred else ""
    said = f" ({said})" if said else ""
    if not sender and not whom:
        return f"A session{account}{client} was refused at {at}: {why}{said}."
    verb = "was thrown away" if refusal.reason is RefusalReason.SPAM_DISCARDED else "was refused"
    verb = "was put off" if refusal.reason is RefusalReason.GREYLISTED else verb
    verb = "was not accepted" if refusal.reason is RefusalReason.NOT_ACCEPTED else verb
    return f"A message{sender}{whom}{account}{client} {verb} at {at}: {why}{said}."


def next_after(refusal: Refusal) -> str:
    """Return what happens next; empty if nothing does."""
    if refusal.reason is RefusalReason.GREYLISTED:
        return "A real mail server tries again in some minutes, and then the message is accepted."
    return ""


def todo_about(refusal: Refusal) -> str:
    """Return what an operator can do about a refusal."""
    return _TODO[refusal.reason]
