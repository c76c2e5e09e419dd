"""Delivery to the host of one domain, step by step, with the events of each step."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from exporter.simulator.world.context import Context
from exporter.simulator.world.mail.destinations import ACCEPTED, BUSY, OK, SENDER_REJECTED, Destination, Temper
from exporter.simulator.world.mail.failures import Failure, Reply
from exporter.simulator.world.mail.queue import Message, Recipient
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.values import Address, Cause, Keys, Value

Outcome = Reply | Failure
Results = list[tuple[Recipient, Outcome]]
Steps = Generator[float, None, Results]


class HostSession:
    """
    Delivers a message to some recipients of one domain. Generators yield the duration of each step in seconds.

    Attributes:
        late: Events of refused recipients that are raised after the attempt was deferred.
    """

    def __init__(self, context: Context, span: Span, message: Message, domain: str) -> None:
        self._context = context
        self._span = span
        self._message = message
        self._domain = domain
        self._destination = context.destinations.get(domain, Destination(domain, Temper.UNKNOWN_DOMAIN))
        self.late: list[tuple[str, Keys]] = []

    def deliver(self, recipients: Sequence[Recipient]) -> Steps:
        """Look the host up, connect, and speak SMTP; return the result for each recipient."""
        self._look_up_policies()
        failure = self._look_up_host()
        if failure is None:
            failure = yield from self._connect()
        if failure is None:
            failure = self._greet()
        if failure is not None:
            return [(recipient, failure) for recipient in recipients]
        yield self._destination.round_trip_ms / 1000 * (3 + len(recipients))
        return self._transfer(recipients)

    def _raise(self, event_id: str, **keys: Value) -> None:
        self._context.journal.raise_event(event_id, keys, self._span)

    def _raise_timed(self, event_id: str, **keys: Value) -> None:
        step = self._destination.round_trip_ms
        self._raise(event_id, **keys, elapsed=self._context.elapsed(step, step + 2))

    def _look_up_policies(self) -> None:
        if self._destination.tls_rpt:
            rua = (f"tls@{self._domain}",)
            self._raise_timed("tls-rpt.record-fetch", domain=self._domain, details=rua)
        else:
            self._raise_timed("tls-rpt.record-not-found", domain=self._domain)
        if self._context.profile.looks_up_policies:
            self._raise_timed("mta-sts.policy-not-found", domain=self._domain, strict=False)

    def _look_up_host(self) -> Failure | None:
        domain, host = self._domain, self._destination.host
        match self._destination.temper:
            case Temper.NULL_MX:
                self._raise_timed("delivery.null-mx", domain=domain)
                detail = "Domain does not accept messages (null MX)"
                return Failure(reason="dns_error", entity=domain, permanent=True, detail=detail)
            case Temper.UNKNOWN_DOMAIN:
                return self._miss_host()
            case Temper.DNS_BROKEN:
                cause = Cause("mail-auth.dns-error", {"details": "request timed out"})
                self._raise_timed("delivery.mx-lookup-failed", domain=domain, causedBy=cause)
                return Failure(reason="dns_error", entity=domain, detail="DNS resolution error: request timed out")
        self._raise_timed("delivery.mx-lookup", domain=domain, details=(host,))
        address = Address(self._destination.ip)
        self._raise_timed("delivery.ip-lookup", domain=domain, hostname=host, details=(address,), limit=2)
        if self._context.profile.jmap:
            self._raise_timed("dane.tlsa-record-not-dnssec-signed", domain=domain, hostname=host, strict=False)
        elif self._context.profile.looks_up_policies:
            cause = Cause("mail-auth.dns-error", {"details": "could not validate negative response missing SOA"})
            self._raise_timed(
                "dane.tlsa-record-fetch-error", domain=domain, hostname=host, causedBy=cause, strict=False
            )
        return None

    def _miss_host(self) -> Failure:
        domain = self._domain
        details = "No MX records were found, attempting implicit MX."
        self._raise_timed("delivery.mx-lookup-failed", domain=domain, details=details)
        self._raise_timed("delivery.mx-lookup", domain=domain, details=(domain,))
        failure = Failure(reason="dns_error", entity=domain, permanent=True, detail="no MX record found.")
        self._raise_timed("delivery.ip-lookup-failed", domain=domain, hostname=domain, details=self._worded(failure))
        return failure

    def _worded(self, failure: Failure) -> str:
        return failure.with_severity(nested=self._context.profile.nested_queue)

    def _connect(self) -> Generator[float, None, Failure | None]:
        host = self._destination
        where: dict[str, Value] = {
            "domain": self._domain,
            "hostname": host.host,
            "localIp": Address("0.0.0.0"),  # noqa: S104 -- what the server logs, nothing is bound
            "remoteIp": Address(host.ip),
            "remotePort": 25,
        }
        if host.temper is Temper.REFUSE:
            reason = "Connection refused (os error 111)"
            cause = Cause("smtp.error", {"details": "I/O Error", "reason": reason})
            self._raise_timed("delivery.connect-error", **where, causedBy=cause)
            return host.trouble(f"I/O error: {reason}")
        self._raise_timed("delivery.connect", **where)
        if host.temper is Temper.HANG:
            yield self._context.profile.greeting_timeout_seconds / self._context.speed
            failure = host.trouble("Timeout while reading greeting")
            self._raise(
                "delivery.greeting-failed", domain=self._domain, hostname=host.host, details=self._worded(failure)
            )
            return failure
        return None

    def _greet(self) -> Failure | None:
        host = self._destination
        here: dict[str, Value] = {"domain": self._domain, "hostname": host.host}
        if host.temper is Temper.BUSY:
            failure = host.refusal(f"EHLO {self._context.profile.hostname}", host.reply or BUSY)
            self._raise_timed("delivery.ehlo-rejected", **here, details=self._worded(failure))
            return failure
        capabilities = ("STARTTLS", "PIPELINING") if host.starttls else ("PIPELINING",)
        self._raise_timed("delivery.ehlo", **here, details=capabilities)
        if host.temper is Temper.TLS_BROKEN:
            reason = "received fatal alert: HandshakeFailure"
            cause = Cause("smtp.error", {"details": "TLS error", "reason": reason})
            self._raise_timed("delivery.start-tls-error", **here, reason=cause)
            return Failure(reason="tls_error", entity=host.host, detail=f"Handshake failed: {reason}")
        if host.starttls:
            cipher = "TLS13_AES_256_GCM_SHA384"
            self._raise_timed("delivery.start-tls", **here, version="TLSv1_3", details=cipher)
        else:
            details = "STARTTLS was not advertised by host"
            self._raise_timed("delivery.start-tls-unavailable", **here, code=None, details=details)
            self._note_clear_session()
        return None

    def _note_clear_session(self) -> None:
        if self._destination.tls_rpt:
            policy_hash = self._context.rng.getrandbits(64)
            aligned = not self._context.profile.jmap
            report = self._context.outgoing.collect(
                "tls", self._domain, self._context.now(), policy_hash, aligned=aligned
            )
            report.sessions += 1

    def _transfer(self, recipients: Sequence[Recipient]) -> Results:
        host = self._destination
        failure = self._offer_sender()
        if failure is not None:
            return [(recipient, failure) for recipient in recipients]
        results: Results = []
        accepted: list[Recipient] = []
        for recipient in recipients:
            if host.temper is Temper.BREAKS_OFF:
                failure = self._break_off(recipient)
                return [(each, failure) for each in recipients]
            reply = host.rcpt_reply(recipient.address)
            if reply.code < 400:
                self._raise_reply("delivery.rcpt-to", reply, to=recipient.address)
                accepted.append(recipient)
            else:
                self._refuse(recipient, reply)
                command = f"RCPT TO:<{recipient.address}>"
                results.append((recipient, host.refusal(command, reply, own=True)))
        return results + self._send(accepted) if accepted else results

    def _refuse(self, recipient: Recipient, reply: Reply) -> None:
        event_id, to = "delivery.rcpt-to-rejected", recipient.address
        if not self._destination.late_reasons and not self._destination.stray_reasons:
            self._raise_reply(event_id, reply, to=to)
            return
        step = self._destination.round_trip_ms
        told: Keys = {"hostname": self._destination.host, "to": to, "code": reply.code, "details": reply.message}
        told = {**told, "elapsed": self._context.elapsed(step, step + 2)}
        if self._destination.stray_reasons:
            self._context.journal.raise_event(event_id, told)
        else:
            self.late.append((event_id, told))

    def _raise_reply(self, event_id: str, reply: Reply, **keys: Value) -> None:
        self._raise_timed(event_id, hostname=self._destination.host, **keys, code=reply.code, details=reply.message)

    def _offer_sender(self) -> Failure | None:
        host = self._destination
        sender = self._message.return_path
        if host.temper is not Temper.SENDER_REJECTED:
            self._raise_reply("delivery.mail-from", OK, **{"from": sender})
            return None
        reply = host.reply or SENDER_REJECTED
        cause = Cause(
            "smtp.error", {"details": "Unexpected SMTP Response", "code": reply.code, "reason": reply.message}
        )
        self._raise_timed("delivery.mail-from-rejected", hostname=host.host, causedBy=cause)
        return host.refusal(f"MAIL FROM:<{sender}>", reply)

    def _break_off(self, recipient: Recipient) -> Failure:
        host = self._destination
        reason = "Connection reset by peer (os error 104)"
        cause = Cause("smtp.error", {"details": "I/O Error", "reason": reason})
        self._raise_timed("delivery.rcpt-to-failed", hostname=host.host, to=recipient.address, causedBy=cause)
        return host.trouble(f"I/O error: {reason}")

    def _send(self, accepted: Sequence[Recipient]) -> Results:
        self._context.touch_store(blobs_read=1)
        reply = self._destination.data_reply()
        if reply.code != ACCEPTED.code:
            self._raise_reply("delivery.message-rejected", reply)
            failure = self._destination.refusal("DATA", reply)
            return [(recipient, failure) for recipient in accepted]
        for recipient in accepted:
            self._raise_reply("delivery.delivered", reply, to=recipient.address)
        return [(recipient, OK) for recipient in accepted]
