"""One story told to servers of both generations, and what of the exporter's page should be the same for them."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.simulator import DmarcRow, ManualClock, Profile, StandIn, TlsPolicy, World
from exporter.simulator.world.accounts.api_keys import api_key
from exporter.simulator.world.mail.limits import Limit
from tests.support.exporter import Exporter
from tests.support.paths import ROOT
from tests.support.standin import (
    DAY_SECONDS,
    Scene,
    after_polls,
    community,
    counting,
    enterprise,
    server_table,
    wait_good,
)

GOLDEN = ROOT / "tests" / "e2e" / "golden"
REST, JMAP = "0.15.5", "0.16.18"
EDITIONS: dict[str, Callable[[str], Profile]] = {"community": community, "enterprise": enterprise}
COLLECTORS = ("queue", "native", "logs", "outgoing", "failed", "reports")

CANNOT_KNOW: dict[str, str] = {
    r"stalwart_queue_running\b.*": "v0.16 does not say whether its queue is paused",
    r"stalwart_server_info\b.*": "it names the generation",
    r"stalwart_settings_change_timestamp_seconds\b.*": "v0.15 shows settings only together with secrets",
    r"stalwart_known_defect_info\b.*": "each release has its own",
    r"stalwart_clock_(skew_seconds|steps_total)\b.*": "the story has a time of its own, which stands still",
    r"stalwart_queue_message_age_seconds_gsum\b.*": "messages age between two requests",
    r"stalwart_(accounts|domains|quota_accounts|account_\w+)\b.*": "the key of v0.15 may not read accounts",
    r"stalwart_(certificate|tasks|blocked|cluster)_?.*": "v0.15 has no list of them that is cheap to read",
    r".*event=\"(auth\.success|http\.[a-z-]+|jmap\.[a-z-]+|resource\.not-found)\".*": "our own requests raise them",
    r".*event=\"dane\.tlsa-record-(fetch-error|not-dnssec-signed)\".*": "one look-up, told apart by v0.16",
    r"stalwart_dns_lookup_duration_seconds.*": "v0.16 does not time that look-up",
    r".*event=\"(dkim\.signer|arc\.sealer)-not-found\".*": "v0.16 does not warn of keys that are not configured",
    r".*event=\"smtp\.arc-pass\".*": "v0.16 does not check ARC",
    r".*event=\"eval\.store-not-found\".*": "v0.16 has no stores by name",
    r"stalwart_(active_connections\{protocol=\"http\"\}|session_duration_seconds\w*\{protocol=\"http\").*": "our own",
    r"stalwart_(server_memory_bytes|store_operation_duration_seconds).*": "they hang on how the server works inside",
}
"""Samples that are left out, and why."""

_KNOWN = re.compile("|".join(f"(?:{pattern})" for pattern in CANNOT_KNOW))
_SERVER = re.compile(r'server="([^"]*)",?')
_MOMENT = re.compile(r"(\S+_timestamp_seconds\S*) (\S+)")


@dataclass(frozen=True)
class Chapter:
    """A part of the story; *play* happens within one instant of the exporter's."""

    name: str
    play: Callable[[World], None]
    restarts: bool = False


def _mail_for_every_temper(world: World) -> None:
    for number in range(6):
        world.submit([f"u{number}@ok.test"], size=900 * (number + 1))
    for domain in ("defer", "busy", "refused", "grey", "expire", "hang"):
        world.submit([f"a@{domain}.test", f"b@{domain}.test"], size=5000)
        world.advance(1)
    for domain in ("reject", "nullmx", "nowhere", "full"):
        world.submit([f"u@{domain}.test"])
        world.advance(1)
    world.submit(["m@ok.test", "m@defer.test", "bob@example.test"])
    world.advance(30)


def _visitors(world: World) -> None:
    world.receive(["bob@example.test"], sender="someone@partner.test", size=1500)
    world.receive(["nobody@example.test"], sender="someone@partner.test", size=1500)
    world.log_in("alice", succeeds=True)
    world.log_in("alice", succeeds=False, protocol="smtp", tries=3)
    world.advance(5)


def _reports_arrive(world: World) -> None:
    # Windows are those of the server's clock: what ended with yesterday is in all of them.
    begin = int(world.now()) // DAY_SECONDS * DAY_SECONDS - DAY_SECONDS
    about = {"domain": "Example.TEST", "begin": begin, "end": begin + DAY_SECONDS - 1}
    rows = [
        DmarcRow(source_ip="192.0.2.1", count=120, disposition="none", dkim="pass", spf="pass"),
        DmarcRow(source_ip="2001:db8::9", count=7, disposition="quarantine", dkim="fail", spf="fail"),
    ]
    world.receive_dmarc(org="big-mailbox.test", report_id="r-1", rows=rows, **about)
    world.receive_dmarc(org="big-mailbox.test", report_id="r-1", rows=rows, **about)
    world.receive_dmarc(org="other-mailbox.test", report_id="r-1", rows=rows[1:], **about)
    world.receive_broken_dmarc()
    policy = TlsPolicy(successes=310, failed=4, failures=(("certificate-expired", 3), ("starttls-not-supported", 1)))
    world.receive_tls(org="big-mailbox.test", report_id="t-1", policies=[policy], **about)
    for number, kind in enumerate(("Abuse", "Fraud", "AuthFailure")):
        world.receive_arf(
            reporter="big-mailbox.test",
            feedback_type=kind,
            domain="example.test",
            source_ip=f"192.0.2.{number}",
            arrival=begin,
        )
    world.advance(5)


def _retries_and_expiries(world: World) -> None:
    world.set_destination("busy.test", "accept")
    world.advance(2 * 3600)


def _an_outbound_limit(world: World) -> None:
    # As long as the window lasts: mail to the server's own mailboxes is held like any other.
    world.limits.outbound.append(Limit("slow", 1))
    for number in range(3):
        world.submit([f"u{number}@ok.test", "bob@example.test"])
    world.advance(1)


STORY = (
    Chapter("mail for hosts of every temper", _mail_for_every_temper),
    Chapter("visitors", _visitors),
    Chapter("reports", _reports_arrive),
    Chapter("a restart", _mail_for_every_temper, restarts=True),
    Chapter("retries and expiries", _retries_and_expiries),
    Chapter("an outbound limit", _an_outbound_limit),
)


@dataclass(frozen=True)
class Telling:
    """Servers of both generations, watched by one exporter under their versions' names."""

    scenes: dict[str, Scene]
    began: float

    def pages(self) -> dict[str, list[str]]:
        """What is shown of each server, by its name: the sorted samples, without those of `CANNOT_KNOW`."""
        found: dict[str, list[str]] = {name: [] for name in self.scenes}
        for line in next(iter(self.scenes.values())).page().splitlines():
            named = _SERVER.search(line)
            if line.startswith(("#", "stalwart_exporter_")) or named is None:
                continue
            sample = self._since_the_beginning(line.replace(named[0], "", 1).replace(",}", "}").replace("{}", ""))
            if not _KNOWN.fullmatch(sample):
                found[named[1]].append(sample)
        return {name: sorted(samples) for name, samples in found.items()}

    def _since_the_beginning(self, sample: str) -> str:
        moment = _MOMENT.fullmatch(sample)
        return f"{moment[1]} {float(moment[2]) - self.began:g} s after the beginning" if moment else sample

    def tell(self, chapter: Chapter) -> None:
        """Lets it happen on each server; returns when the exporter has seen all of it."""
        for scene in self.scenes.values():
            if chapter.restarts:
                scene.server.restart()
            scene.server.call(lambda world: (world.rng.seed(chapter.name), chapter.play(world)))
        after_polls(self.scenes.values(), *COLLECTORS)
        licensed = [s for s in self.scenes.values() if s.server.call(lambda world: world.profile.keeps_traces)]
        after_polls(licensed, "traces", "metrics")
        # Collectors that count what others have read come after them.
        after_polls(self.scenes.values(), "failed", "native", "senders")


@contextmanager
def telling(directory: Path, edition: str, *, streams: str = "off") -> Iterator[Telling]:
    """Servers of an edition in both generations, time standing still but for the story, and an exporter."""
    began = one_or_thirteen_oclock()
    with ExitStack() as stack:
        servers = {
            version: stack.enter_context(StandIn(EDITIONS[edition](version), clock=ManualClock(began)))
            for version in (REST, JMAP)
        }
        config = "".join(_table(version, server, streams) for version, server in servers.items())
        exporter = stack.enter_context(Exporter(directory, config=config))
        scenes = {version: Scene(server, exporter, version) for version, server in servers.items()}
        wait_good(scenes.values(), *COLLECTORS)
        counting(scenes.values())
        yield Telling(scenes, began)


def one_or_thirteen_oclock() -> float:
    """
    The next of both (UTC) that is ten minutes away: ahead of the exporter's clock, and no midnight is near.

    What is more than a day ahead would not be believed.
    """
    half = DAY_SECONDS / 2
    return ((time.time() + 600 - 3600) // half + 1) * half + 3600


def _table(version: str, server: StandIn, streams: str) -> str:
    if version == REST:
        return server_table(server.url, name=version, streams=streams)
    key = server.call(lambda world: api_key(world.directory.accounts["watcher"]))
    return server_table(server.url, name=version, login=None, token=key, streams=streams)


def golden(edition: str) -> Sequence[str]:
    """What is to be shown at the end of the story."""
    return (GOLDEN / f"{edition}.prom").read_text().splitlines()


def main() -> None:
    """Writes down what is shown now; look at the difference before you keep it."""
    for edition in EDITIONS:
        with TemporaryDirectory() as directory, telling(Path(directory), edition) as told:
            for chapter in STORY:
                told.tell(chapter)
            pages = told.pages()
        if pages[REST] != pages[JMAP]:
            sys.exit(f"{edition}: the generations differ; nothing was written")
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / f"{edition}.prom").write_text("".join(f"{sample}\n" for sample in pages[REST]))


if __name__ == "__main__":
    main()
