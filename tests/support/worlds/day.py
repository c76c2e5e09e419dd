"""A day in the life of a mail server in one second: some of everything, so that every query has something to show."""

from __future__ import annotations

from typing import Any

from exporter.simulator import DmarcRow, Temper, TlsPolicy, World
from exporter.simulator.world.mail.limits import Limit

DOMAINS = ("ok.test", "defer.test", "reject.test", "refused.test", "hang.test", "grey.test", "full.test", "busy.test")
DAY = 86_400

MANY = 30
"""More destinations than get a series of their own."""

RAISED = (
    "auth.error",
    "dane.authentication-failure",
    "dkim.signer-not-found",
    "http.error",
    "limit.too-many-requests",
    "smtp.arc-pass",
    "smtp.dkim-pass",
    "smtp.spf-ehlo-pass",
    "message-ingest.error",
    "mta-sts.not-authorized",
    "security.ip-blocked",
    "security.scan-ban",
    "smtp.loop-detected",
    "smtp.rate-limit-exceeded",
    "store.redis-error",
    "store.sqlite-error",
    "tls.handshake-error",
)
"""What nothing in the stand-in's world would cause."""


def live_through(world: World, number: int) -> None:
    """Some of everything, for the *number*-th time (1-based)."""
    for domain in (*DOMAINS, "nullmx.test", "nowhere.test", "example.test"):
        world.submit([f"user{number}@{domain}"], size=900 * number)
    world.submit([f"a{number}@ok.test", f"b{number}@reject.test", f"c{number}@defer.test"])
    if number == 1:
        world.submit([f"somebody@unheard-of-{n}.test" for n in range(MANY)])
        world.limits.outbound.append(Limit("slow", 1, domain="held.test"))
        world.set_destination("held.test", Temper.ACCEPT)
    world.submit([f"user{number}@held.test"])
    world.set_destination("tls.test", Temper.TLS_BROKEN)
    world.submit([f"user{number}@tls.test"])
    world.receive(["bob@example.test"], sender="someone@partner.test")
    world.receive(["bob@example.test"], sender="spam@elsewhere.test")
    world.receive(["nobody@example.test"])
    world.log_in("alice", succeeds=True)
    world.log_in("alice", succeeds=False, protocol="smtp", ip=f"203.0.113.{number % 250}")
    world.ban(f"198.51.100.{number % 250}")
    for event_id in RAISED:
        world.raise_event(event_id)
    report(world, number)


def report(world: World, number: int) -> None:
    """What others report: good and bad, and one that cannot be read."""
    begin = (int(world.now()) // DAY - 1) * DAY
    about: dict[str, Any] = {"domain": "example.test", "begin": begin, "end": int(world.now()) - 60}
    good = DmarcRow(source_ip="192.0.2.1", count=90)
    forged = DmarcRow(source_ip="198.51.100.9", count=10, disposition="reject", dkim="fail", spf="fail")
    world.receive_dmarc(org="big.test", report_id=f"d-{number}", rows=[good, forged], **about)
    policy = TlsPolicy(successes=40, failed=2, failures=(("certificate-expired", 2),))
    world.receive_tls(org="big.test", report_id=f"t-{number}", policies=[policy], **about)
    arrival = int(world.now()) - 600
    world.receive_arf(
        reporter="big.test", feedback_type="Abuse", domain="example.test", source_ip="192.0.2.1", arrival=arrival
    )
    world.receive_broken_dmarc()
