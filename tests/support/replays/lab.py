"""The mail of the recordings, replayed on a stand-in: the same submissions, sessions and reports in the same order."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from exporter.simulator import DmarcRow, ManualClock, Profile, Schedule, StandIn, TlsPolicy, World
from tests.support.paths import RECORDINGS
from tests.support.replays.logins import new_client

ALICE, BOB, OUTSIDER = "alice@example.test", "bob@example.test", "someone@partner.test"
SPACING_SECONDS = 0.35
DAY = 86_400
FIRST_DAY = 1_795_132_800

# What the recorded server really did, seen from its reschedulings.
LAB_RETRY = (120.0, 15.0, 20.0, 600.0, 3600.0)

PERIOD = {"begin": FIRST_DAY, "end": FIRST_DAY + DAY - 1}
NEXT_DAY = {"begin": FIRST_DAY + DAY, "end": FIRST_DAY + 2 * DAY - 1}


@dataclass(frozen=True)
class Lab:
    """One recording: which server it was, when it began, and how long after its first mail it was asked."""

    name: str
    version: str
    began: float
    seconds: float
    filling_requests: int
    filling_connections: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The recorded exchanges."""
        rows: list[dict[str, Any]] = json.loads((RECORDINGS / self.name / "exchanges.json").read_text())
        return rows

    @property
    def native(self) -> str:
        """The recorded metrics page."""
        return (RECORDINGS / self.name / "native.txt").read_text()


LABS = (
    Lab("rest-0.15.5", "0.15.5", 1_795_358_055.3, 170.0, 9, 3),
    Lab("rest-0.12.5", "0.12.5", 1_795_359_340.3, 26.0, 11, 2),
)

IDENTITIES: dict[str, tuple[str, str]] = {
    "watcher": ("watcher", "lab-watcher-secret"),
    "narrow": ("narrow", "lab-narrow-secret"),
    "admin": ("admin", "lab-admin-secret"),
    "prometheus": ("prometheus", "lab-prometheus-secret"),
    "wrong": ("watcher", "not-the-secret"),
}


def authorization(identity: str) -> dict[str, str]:
    """The header of a recorded identity."""
    if identity == "none":
        return {}
    if identity == "watcher-bearer":
        return {"authorization": f"Bearer api_{base64.b64encode(b'watcher:lab-watcher-secret').decode()}"}
    name, secret = IDENTITIES[identity]
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


def stand_in(lab: Lab) -> StandIn:
    """A stand-in for a recorded server, at the time its mail began."""
    return StandIn(Profile(version=lab.version), clock=ManualClock(lab.began))


def fill(server: StandIn, lab: Lab) -> None:
    """The requests that set the recorded server up."""
    for number in range(lab.filling_connections):
        with new_client(server.url) as client:
            if number == 0:
                client.get("/healthz/live")
                continue
            for _ in range(lab.filling_requests if number == 1 else 1):
                client.get("/api/queue/status", headers=authorization("admin"))


def play(world: World, lab: Lab) -> None:
    """All the mail, and then the time until the recording."""
    if not world.profile.nested_queue:
        for queue in ("local", "remote"):
            world.set_schedule(Schedule(queue, LAB_RETRY, (DAY, 3 * DAY), 3 * DAY))
    for act in _acts(world):
        act()
        world.advance(SPACING_SECONDS)
    world.advance(max(lab.began + lab.seconds - world.now(), 0.0))


def _acts(world: World) -> list[Any]:
    def submit(*recipients: str, size: int = 216) -> Any:
        return lambda: world.submit(recipients, size=size)

    def receive(*recipients: str, ip: str = "192.0.2.30") -> Any:
        return lambda: world.receive(recipients, sender=OUTSIDER, size=1077, ip=ip)

    return [
        *(submit(f"u{n}@ok.test") for n in range(3)),
        *(submit(f"u{n}@defer.test", size=2241 + 2082 * n) for n in range(4)),
        submit("v1@defer.test", "v2@defer.test"),
        *(submit(f"u{n}@reject.test") for n in range(2)),
        submit("policy1@reject.test"),
        submit("m@ok.test", "m@defer.test", "m@reject.test", BOB),
        submit("nobody@nowhere.test"),
        *(submit(f"u{n}@refused.test") for n in range(2)),
        submit("u@hang.test"),
        *(submit(f"u{n}@grey.test") for n in range(2)),
        submit("quota@full.test"),
        submit("big@full.test"),
        submit("u@busy.test"),
        submit("u@nullmx.test"),
        submit("u@expire.test"),
        *(lambda: world.submit([ALICE], sender=BOB) for _ in range(4)),
        *(receive(BOB) for _ in range(2)),
        *(receive(f"nobody{n}@example.test") for n in range(2)),
        receive("x@ok.test"),
        receive(BOB, ip="192.0.2.31"),
        *(lambda: world.log_in("alice", succeeds=False, protocol="smtp", tries=2) for _ in range(2)),
        lambda: world.log_in("alice", succeeds=True),
        *_reports(world),
    ]


def _row(ip: str, count: int, disposition: str, dkim: str, spf: str) -> DmarcRow:
    return DmarcRow(source_ip=ip, count=count, disposition=disposition, dkim=dkim, spf=spf)


def _reports(world: World) -> list[Any]:
    def dmarc(org: str, report_id: str, domain: str, period: dict[str, int], *rows: DmarcRow, **more: Any) -> Any:
        about = {"report_id": report_id, "domain": domain, **period, **more}
        return lambda: world.receive_dmarc(org=org, rows=rows, **about)

    def tls(org: str, report_id: str, *policies: TlsPolicy) -> Any:
        about: dict[str, Any] = {"report_id": report_id, "domain": "example.test", **PERIOD}
        return lambda: world.receive_tls(org=org, policies=policies, **about)

    def arf(kind: str, ip: str) -> Any:
        about: dict[str, Any] = {"domain": "example.test", "source_ip": ip, "arrival": 1_795_255_200}
        return lambda: world.receive_arf(reporter="big-mailbox.test", feedback_type=kind, **about)

    big, other = "big-mailbox.test", "other-mailbox.test"
    good = "192.0.2.1"
    return [
        dmarc(
            *(big, "r-1", "example.test", PERIOD),
            *(_row(good, 120, "none", "pass", "pass"), _row("198.51.100.9", 7, "none", "fail", "fail")),
        ),
        dmarc(
            *(big, "r-2", "example.test", NEXT_DAY, _row(good, 80, "none", "pass", "pass")),
            _row("203.0.113.5", 3, "quarantine", "fail", "pass"),
            _row("203.0.113.6", 2, "reject", "fail", "fail"),
            policy="quarantine",
        ),
        dmarc(other, "r-1", "example.test", NEXT_DAY, _row(good, 11, "none", "pass", "fail")),
        dmarc(other, "r-3", "Second.Example.TEST", PERIOD, _row("2001:db8::1", 5, "none", "fail", "pass")),
        world.receive_broken_dmarc,
        tls(
            *(big, "t-1"),
            TlsPolicy(successes=310, failed=4, failures=(("certificate-expired", 3), ("starttls-not-supported", 1))),
        ),
        tls(
            *(other, "t-2"),
            TlsPolicy(policy_type="no-policy-found", successes=20),
            TlsPolicy(policy_type="tlsa", successes=5, failed=2, failures=(("dane-required", 2),)),
        ),
        *(arf(kind, f"192.0.2.{n + 1}") for n, kind in enumerate(("Abuse", "Abuse", "Fraud"))),
    ]
