"""Delivery attempts: what happens between `delivery.attempt-start` and `delivery.attempt-end`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from exporter.simulator.world.accounts.directory import Directory
from exporter.simulator.world.context import Context
from exporter.simulator.world.mail.delivery_attempt import Attempt, opening, put_off
from exporter.simulator.world.mail.destinations import OK
from exporter.simulator.world.mail.failures import Failure, Reply
from exporter.simulator.world.mail.queue import Message, Queue, Recipient
from exporter.simulator.world.mail.remote import HostSession, Outcome, Results
from exporter.simulator.world.mail.spool import Spool, optional_time
from exporter.simulator.world.telemetry.ledger import DeliveryKey
from exporter.simulator.world.values import Cause, Duration, Keys, Timestamp, Value


class Deliverer:
    """Attempts deliveries, notifies senders of failures and records outcomes in the ledger."""

    def __init__(self, context: Context, queue: Queue, spool: Spool, directory: Directory) -> None:
        self._context = context
        self._queue = queue
        self._spool = spool
        self._directory = directory

    def attempt(self, message: Message, queue: str | None) -> Iterator[float]:
        """Make one attempt; yields the duration of each step in seconds."""
        started = self._context.now()
        span = self._context.open_span("delivery.attempt-start", opening(message, queue))
        attempt = Attempt(message, queue, span, frozenset(r.domain for r in message.pending(queue)))
        message.locked.add(queue)
        ingested: list[Keys] = []
        yield from self._deliver(attempt, ingested)
        took = int((self._context.now() - started) * 1000) + self._context.rng.randint(2, 13)
        self._context.close_span("delivery.attempt-end", attempt.span, {"elapsed": Duration(took)})
        if self._context.profile.release < (0, 15):
            self._index(ingested)
        message.locked.discard(queue)
        if message.pending():
            self._queue.put_back(message)

    def _deliver(self, attempt: Attempt, ingested: list[Keys]) -> Iterator[float]:
        message, now = attempt.message, self._context.now()
        self._expire(attempt)
        self._tell(attempt)
        if not message.pending():
            self._complete(attempt)
            return
        due = [r for r in message.pending(attempt.queue) if r.next_retry <= now]
        if not due:
            return
        results: Results = []
        for domain in dict.fromkeys(r.domain for r in due):
            of_domain = [r for r in due if r.domain == domain]
            results += yield from self._deliver_domain(attempt, domain, of_domain, ingested)
        for recipient, outcome in results:
            self._apply(attempt, recipient, outcome)
        self._context.touch_store(writes=2, reads=1)
        self._tell(attempt)
        if message.pending():
            self._reschedule(attempt)
        else:
            self._complete(attempt)
        for event_id, keys in attempt.late:
            self._raise(attempt, event_id, keys)

    def _deliver_domain(
        self, attempt: Attempt, domain: str, recipients: Sequence[Recipient], ingested: list[Keys]
    ) -> Generator[float, None, Results]:
        keys: dict[str, Value] = {"domain": domain}
        if self._context.profile.nested_queue:
            keys["total"] = recipients[0].retry_num
        self._raise(attempt, "delivery.domain-delivery-start", keys)
        if self._hold(attempt, domain, recipients):
            return []
        if domain == self._context.profile.local_domain:
            return [(recipient, self._ingest(attempt, recipient, ingested)) for recipient in recipients]
        session = HostSession(self._context, attempt.span, attempt.message, domain)
        results = yield from session.deliver(recipients)
        attempt.late += session.late
        return results

    def _hold(self, attempt: Attempt, domain: str, recipients: Sequence[Recipient]) -> bool:
        """Return whether an outbound limit holds the recipients back; seen on v0.15.5 and v0.16.18, local mail too."""
        held = self._context.limits.hold(domain, attempt.queue or "", self._context.now())
        if held is None:
            return False
        limit, release = held
        self._raise(attempt, "queue.rate-limit-exceeded", limit.keys)
        self._raise(attempt, "delivery.rate-limit-exceeded", {"id": limit.id, "domain": domain})
        failure = Failure(reason="rate_limited", entity="localhost")
        for recipient in recipients:
            # Not an attempt: the number of retries and the expiry stay.
            recipient.status, recipient.failure, recipient.next_retry = "temp_fail", failure, release
        attempt.told = failure, domain
        return True

    def _ingest(self, attempt: Attempt, recipient: Recipient, ingested: list[Keys]) -> Outcome:
        full = self._directory.mailbox_trouble(recipient.address)
        if full is not None:
            command = f"RCPT TO:<{recipient.address}>"
            return Failure(
                reason="unexpected_response",
                entity="localhost",
                permanent=full.code >= 500,
                command=command,
                reply=full,
                own=True,
            )
        account_id, document = self._directory.store_mail(recipient.address, attempt.message.size)
        message = attempt.message
        spam = message.return_path.startswith("spam")
        domain = message.return_path.rpartition("@")[2] or "localhost"
        keys: dict[str, Value] = {
            "accountId": account_id,
            "documentId": document,
            "mailboxId": (0,),
            "blobId": self._context.rng.randbytes(32).hex(),
            "changeId": document,
            "messageId": f"{message.queue_id:x}@{domain}",
            "size": message.size + 32,
            "elapsed": self._context.elapsed(1, 4),
        }
        self._context.touch_store(writes=2, blobs_read=1)
        self._raise(attempt, "message-ingest.spam" if spam else "message-ingest.ham", keys)
        ingested.append({"accountId": account_id, "collection": "email", "documentId": document})
        return OK

    def _index(self, ingested: Sequence[Keys]) -> None:
        for keys in ingested:
            indexed = {**keys, "elapsed": self._context.elapsed(3, 5)}
            self._context.journal.raise_event("message-ingest.fts-index", indexed)

    def _apply(self, attempt: Attempt, recipient: Recipient, outcome: Outcome) -> None:
        if isinstance(outcome, Reply):
            recipient.status, recipient.reply, recipient.failure = "completed", outcome, None
            destination = self._context.destinations.get(recipient.domain)
            local = recipient.domain == self._context.profile.local_domain or destination is None
            recipient.host = "localhost" if local or destination is None else destination.host
            if not local:
                attempt.noticed = None
            return
        recipient.failure = outcome
        if outcome.permanent:
            recipient.status = "perm_fail"
            return
        if recipient.domain != self._context.profile.local_domain:
            # Failures of local delivery have no event of their own.
            attempt.told = outcome, recipient.domain
        retry = self._context.schedule(recipient.queue, recipient.domain).retry
        recipient.status = "temp_fail"
        recipient.next_retry = self._context.now() + retry[min(recipient.retry_num, len(retry) - 1)]
        recipient.retry_num += 1

    def _expire(self, attempt: Attempt) -> None:
        now = self._context.now()
        for recipient in attempt.message.pending():
            if not recipient.is_expired(now):
                continue
            never = "Message expired without any delivery attempts made."
            failure = recipient.failure or Failure(reason="io_error", entity=recipient.domain, detail=never)
            self._raise(attempt, "delivery.failed", self._expiry_keys(attempt, recipient, failure))
            recipient.status, recipient.failure = "perm_fail", replace(failure, permanent=True)

    def _expiry_keys(self, attempt: Attempt, recipient: Recipient, failure: Failure) -> Keys:
        nested = self._context.profile.nested_queue
        who: dict[str, Value] = {"domain": recipient.domain}
        if not nested:
            who = {"queueId": attempt.message.queue_id, "queueName": attempt.queue, "to": recipient.address}
        return {
            **who,
            "reason": self._expiry_reason(failure),
            "details": Timestamp(self._context.now()),
            "expires": optional_time(recipient.expires),
            "nextRetry": Timestamp(recipient.next_retry),
            "nextDsn": optional_time(recipient.next_notify),
        }

    def _expiry_reason(self, failure: Failure) -> Value:
        if self._context.profile.nested_queue:
            return failure.with_severity(nested=True)
        if not self._context.profile.jmap or failure.reply is None:
            return failure.what
        reply = failure.reply
        told: Keys = {"details": "Unexpected SMTP Response", "code": reply.code, "reason": reply.message}
        return Cause("smtp.error", told)

    def _tell(self, attempt: Attempt) -> None:
        """Log final and overdue recipients, and notify the sender of failures."""
        now, message = self._context.now(), attempt.message
        told = False
        for recipient in message.recipients:
            late = recipient.next_notify is not None and recipient.next_notify <= now
            if recipient.reported or (recipient.pending and not late):
                continue
            self._tell_one(attempt, recipient)
            if recipient.pending:
                self._put_off_notice(recipient)
            elif message.return_path:
                recipient.reported = True
            told = told or recipient.status != "completed"
        if told and message.return_path:
            size = message.size + 1400 + 40 * len(message.recipients)
            self._spool.add("dsn", "", [message.return_path], size, attempt.span)
        elif told and any(r.status == "perm_fail" for r in message.recipients):
            failed = tuple(r.address for r in message.recipients if r.status == "perm_fail")
            self._raise(attempt, "delivery.double-bounce", {"to": failed})

    def _tell_one(self, attempt: Attempt, recipient: Recipient) -> None:
        deliveries = self._context.journal.ledger.deliveries
        failure = recipient.failure
        if recipient.status == "completed" and recipient.reply is not None:
            reply = recipient.reply
            keys: Keys = {
                "to": recipient.address,
                "hostname": recipient.host,
                "code": reply.code,
                "details": reply.message,
            }
            self._raise(attempt, "delivery.dsn-success", keys)
            deliveries[DeliveryKey("delivered", "", str(reply.code), recipient.domain)] += 1
        elif recipient.status == "perm_fail" and failure is not None:
            keys = {**self._failure_keys(recipient, failure), "total": recipient.retry_num}
            self._raise(attempt, "delivery.dsn-perm-fail", keys)
            deliveries[DeliveryKey("permanent_failure", failure.reason, failure.code, recipient.domain)] += 1
        else:
            keys = {
                **self._failure_keys(recipient, failure),
                "nextRetry": Timestamp(recipient.next_retry),
                "expires": optional_time(recipient.expires),
                "total": recipient.retry_num,
            }
            self._raise(attempt, "delivery.dsn-temp-fail", keys)
            if failure is not None:
                attempt.noticed = failure, recipient.domain

    def _failure_keys(self, recipient: Recipient, failure: Failure | None) -> dict[str, Value]:
        if failure is None:
            return {"to": recipient.address, "details": "Concurrency limited"}
        if not self._context.profile.nested_queue:
            return {"to": recipient.address, "hostname": failure.entity, "details": failure.what}
        if failure.own and failure.reply is not None:
            reply = failure.reply
            return {
                "to": recipient.address,
                "hostname": failure.entity,
                "code": reply.code,
                "details": reply.message,
            }
        return {"to": recipient.address, "details": failure.with_severity(nested=True)}

    def _put_off_notice(self, recipient: Recipient) -> None:
        notify = self._context.schedule(recipient.queue, recipient.domain).notify
        recipient.notices += 1
        more = recipient.notices < len(notify)
        recipient.next_notify = self._context.now() + notify[recipient.notices] if more else None

    def _reschedule(self, attempt: Attempt) -> None:
        message = attempt.message
        keys: Keys = {
            "nextRetry": optional_time(message.next_delivery()),
            "nextDsn": optional_time(message.next_notice()),
            "expires": optional_time(message.first_expiry()),
        }
        self._raise(attempt, "queue.rescheduled", keys)
        self._context.journal.ledger.deliveries[put_off(attempt)] += 1

    def _complete(self, attempt: Attempt) -> None:
        whole_seconds = int(self._context.now()) - int(attempt.message.created)
        self._raise(attempt, "delivery.completed", {"elapsed": Duration(whole_seconds * 1000)})
        self._queue.remove(attempt.message.queue_id)

    def _raise(self, attempt: Attempt, event_id: str, keys: Keys) -> None:
        self._context.journal.raise_event(event_id, keys, attempt.span)
