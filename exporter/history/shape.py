"""An answer as JSON; docs/why.md describes the shape."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from exporter.answers.answer import Answer, DestinationEvidence, Match, MessageEvidence
from exporter.answers.fate import EXIT_STATUS
from exporter.answers.queue_state import WaitingMessage
from exporter.answers.standing import Standing
from exporter.clock import rfc3339
from exporter.model.trail import MessageTrail, Refusal, TrailMessage, TrailOutcome, TrailStep
from exporter.stalwart.common.ids import encode_id

Fields = dict[str, Any]


def answer_fields(answer: Answer, *, asked: str | None, limit: int) -> Fields:
    """Return an answer with the same members whatever it is about; what does not apply is null or empty."""
    return {
        "asked": asked,
        "kind": answer.kind.value,
        "status": answer.fate.value,
        "exit_status": EXIT_STATUS[answer.fate],
        "server": answer.server or None,
        "happened": answer.happened,
        "next": answer.next or None,
        "todo": list(answer.todo),
        "notes": list(answer.notes),
        "message": _message(answer.message) if answer.message is not None else None,
        "refusal": refusal_fields(answer.refusal) if answer.refusal is not None else None,
        "destinations": [_destination(one) for one in answer.destinations],
        "matches": answer.matches,
        "others": [match_fields(one) for one in answer.others[:limit]],
    }


def message_fields(message: TrailMessage) -> Fields:
    """Return a message without its recipients."""
    return {
        "server": message.server,
        "queue_id": str(message.queue_id),
        "queue_id_hex": f"{message.queue_id:x}",
        "queue_id_jmap": encode_id(message.queue_id),
        "seen_at": rfc3339(message.seen_at),
        "accepted_at": _time(message.accepted_at),
        "kind": message.kind.value or None,
        "listener": message.listener or None,
        "remote_ip": message.remote_ip or None,
        "account": message.account or None,
        "sender": message.sender or None,
        "size_bytes": message.size or None,
        "recipient_count": message.recipients,
        "expires_at": _time(message.expires),
        "cause": str(message.cause) if message.cause else None,
        "message_id": message.message_id or None,
    }


def trail_fields(trail: MessageTrail) -> Fields:
    """Return everything kept of a message."""
    return {
        **message_fields(trail.message),
        "recipients": [
            {
                "address": one.address or None,
                "domain": one.domain or None,
                "queue_name": one.queue_name or None,
                "state": one.state.value,
                "at": rfc3339(one.at),
                "mailbox": one.mailbox.value or None,
                "hostname": one.hostname or None,
                "reason": one.reason or None,
                "code": one.code or None,
                "text": one.text or None,
                "next_retry_at": _time(one.next_retry),
            }
            for one in trail.recipients
        ],
        "timeline": [_entry(one) for one in trail.timeline],
        "caused": [{"queue_id": str(one.queue_id), "kind": one.kind.value or None} for one in trail.caused],
    }


def refusal_fields(refusal: Refusal) -> Fields:
    """Return a refusal."""
    fields = {name: value or None for name, value in asdict(refusal).items() if name != "is_inferred"}
    fields["size_bytes"] = fields.pop("size")
    return {**fields, "at": rfc3339(refusal.at), "reason": refusal.reason.value, "is_inferred": refusal.is_inferred}


def _message(evidence: MessageEvidence) -> Fields:
    fields = trail_fields(evidence.trail)
    for one, standing in zip(fields["recipients"], _in_order(evidence), strict=True):
        one["now"] = _standing(standing) if standing is not None else None
    return {
        **fields,
        "is_in_trail": evidence.is_in_trail,
        "bounces": [{"queue_id": str(one.queue_id), "status": fate.value} for one, fate in evidence.bounces],
        "live": {
            "in_queue": evidence.live.presence.value,
            "running": evidence.live.running,
            "trouble": evidence.live.trouble or None,
            "message": _queued(evidence.live.message),
        },
    }


def _in_order(evidence: MessageEvidence) -> list[Standing | None]:
    by_recipient = {id(one.recipient): one for one in evidence.standings}
    return [by_recipient.get(id(one)) for one in evidence.trail.recipients]


def _standing(one: Standing) -> Fields:
    return {
        "state": one.state.value,
        "attempts": one.attempts,
        "limiter": "quota" if one.over_quota else one.limiter or None,
        "next_retry_at": _time(one.next_retry),
        "expires_at": _time(one.expires),
    }


def _queued(message: WaitingMessage | None) -> Fields | None:
    if message is None:
        return None
    return {
        "created_at": rfc3339(message.created_at),
        "recipients": [
            {
                "address": one.address,
                "queue_name": one.queue_name,
                "status": one.status.value,
                "reply": one.reply or None,
                "attempts": one.attempts,
                "limiter": one.limiter or None,
                "next_retry_at": _time(one.next_retry_at),
                "expires_at": _time(one.expires_at),
            }
            for one in message.recipients
        ],
    }


def _entry(one: TrailStep | TrailOutcome) -> Fields:
    return {
        "at": rfc3339(one.at),
        "outcome": one.outcome.value if isinstance(one, TrailOutcome) else None,
        "event": None if isinstance(one, TrailOutcome) else one.event_id,
        "queue_name": one.queue_name or None,
        "recipient": one.recipient or None,
        "domain": one.domain or None,
        "hostname": one.hostname or None,
        "reason": (one.reason or None) if isinstance(one, TrailOutcome) else None,
        "code": one.code or None,
        "text": one.text or None,
        "next_retry_at": None if isinstance(one, TrailOutcome) else _time(one.next_retry),
    }


def _destination(one: DestinationEvidence) -> Fields:
    return {
        "domain": one.domain,
        "outcomes": [
            {
                "at": rfc3339(outcome.at),
                "queue_id": str(outcome.queue_id) if outcome.queue_id else None,
                "outcome": outcome.outcome.value,
                "reason": outcome.reason or None,
                "hostname": outcome.hostname or None,
                "code": outcome.code or None,
                "text": outcome.text or None,
            }
            for outcome in one.outcomes
        ],
        "events": [_entry(event) for event in one.events],
        "tls_failures": [
            {
                "reporter": failure.reporter or None,
                "result": failure.result,
                "sessions": failure.sessions,
                "ends_at": rfc3339(failure.ends_at),
            }
            for failure in one.tls_failures
        ],
    }


def match_fields(one: Match) -> Fields:
    """Return a message or a refusal in one line."""
    return {
        "server": one.server,
        "at": rfc3339(one.at),
        "queue_id": str(one.queue_id) if one.queue_id is not None else None,
        "status": one.fate.value,
        "sender": one.sender or None,
        "recipients": list(one.recipients),
        "summary": one.summary,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
