"""Remote mail hosts and their behaviour towards deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.simulator.world.mail.failures import Failure, Reply
from exporter.simulator.world.mail.schedules import Schedule


class Temper(StrEnum):
    """How a destination treats our mail."""

    ACCEPT = "accept"
    DEFER = "defer"
    REJECT = "reject"
    REFUSE = "refuse"
    HANG = "hang"
    GREYLIST = "greylist"
    MAILBOX_FULL = "mailbox-full"
    TOO_BIG = "too-big"
    BUSY = "busy"
    SENDER_REJECTED = "sender-rejected"
    BREAKS_OFF = "breaks-off"
    TLS_BROKEN = "tls-broken"
    NULL_MX = "null-mx"
    UNKNOWN_DOMAIN = "unknown-domain"
    DNS_BROKEN = "dns-broken"


OK = Reply(250, "2.1.5", "OK")
ACCEPTED = Reply(250, "2.0.0", "accepted")
DEFERRED = Reply(451, "4.7.1", "Try again later")
GREYLISTED = Reply(450, "4.2.0", "Greylisted")
NO_SUCH_USER = Reply(550, "5.1.1", "No such user")
POLICY = Reply(554, "5.7.1", "Refused by policy")
MAILBOX_FULL = Reply(452, "4.2.2", "Mailbox full")
TOO_BIG = Reply(552, "5.3.4", "Message too big for system")
BUSY = Reply(421, "4.3.2", "Service shutting down")
SENDER_REJECTED = Reply(553, "5.1.8", "Sender address rejected")


@dataclass(slots=True)
class Destination:
    """
    One recipient domain and its mail host.

    Attributes:
        reply: Replaces the usual reply of a temper with replies; used for hostile texts.
        replies: Replies to RCPT by local part; the temper decides for all others.
        late_reasons: A refused recipient is logged a moment after `queue.rescheduled`, as 8 in 10 000 are on real
            servers of both generations.
        stray_reasons: A refused recipient is logged without the keys of its attempt, as 11 in 10 000 are on a busy
            server of v0.16.
        starttls: Whether the host offers STARTTLS.
        greylist_rounds: Attempts per recipient that are deferred before one is accepted.
        schedule: Replaces the virtual queue's schedule for mail to this domain, from v0.13 on.
        round_trip_ms: Time of one command.
        relay: The relay through which mail to this domain goes, instead of its own host.
    """

    domain: str
    temper: Temper = Temper.ACCEPT
    ip: str = "192.0.2.11"
    reply: Reply | None = None
    replies: Mapping[str, Reply] = field(default_factory=dict)
    late_reasons: bool = False
    stray_reasons: bool = False
    starttls: bool = False
    tls_rpt: bool = False
    greylist_rounds: int = 1
    schedule: Schedule | None = None
    round_trip_ms: int = 0
    relay: str = ""
    tries: dict[str, int] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The name of the mail host."""
        return self.relay or f"mx.{self.domain}"

    def rcpt_reply(self, address: str) -> Reply:
        """Return the host's reply to RCPT; severities as in SMTP."""
        local = address.partition("@")[0]
        if local in self.replies:
            return self.replies[local]
        match self.temper:
            case Temper.DEFER:
                return self.reply or DEFERRED
            case Temper.REJECT:
                return self.reply or (POLICY if local.startswith("policy") else NO_SUCH_USER)
            case Temper.MAILBOX_FULL:
                return self.reply or MAILBOX_FULL
            case Temper.TOO_BIG if local.startswith("quota"):
                return MAILBOX_FULL
            case Temper.GREYLIST:
                self.tries[address] = self.tries.get(address, 0) + 1
                return (self.reply or GREYLISTED) if self.tries[address] <= self.greylist_rounds else OK
            case _:
                return OK

    def data_reply(self) -> Reply:
        """Return the host's reply to the message itself."""
        return (self.reply or TOO_BIG) if self.temper is Temper.TOO_BIG else ACCEPTED

    def refusal(self, command: str, reply: Reply, *, own: bool = False) -> Failure:
        """Return the failure for an SMTP reply."""
        return Failure(
            reason="unexpected_response",
            entity=self.host,
            permanent=reply.code >= 500,
            command=command,
            reply=reply,
            own=own,
        )

    def trouble(self, detail: str) -> Failure:
        """Return a failure of the connection to the host."""
        return Failure(reason="connection_error", entity=self.host, detail=detail)


def lab_destinations() -> dict[str, Destination]:
    """Return the destinations behind the recordings."""
    tempers = {
        "ok.test": Temper.ACCEPT,
        "defer.test": Temper.DEFER,
        "reject.test": Temper.REJECT,
        "refused.test": Temper.REFUSE,
        "hang.test": Temper.HANG,
        "grey.test": Temper.GREYLIST,
        "full.test": Temper.TOO_BIG,
        "busy.test": Temper.BUSY,
        "nullmx.test": Temper.NULL_MX,
        "nowhere.test": Temper.UNKNOWN_DOMAIN,
        "expire.test": Temper.DEFER,
    }
    made = {
        domain: Destination(domain, temper, ip=f"192.0.2.{11 + number}")
        for number, (domain, temper) in enumerate(tempers.items())
    }
    made["ok.test"].tls_rpt = True
    made["expire.test"].schedule = Schedule("remote", (15.0,), (86_400.0,), 25.0)
    return made
