"""Refused credentials, banned addresses, missing permissions: asked once, said in words, never in a flood."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from exporter.ingest.loops.doubt import CONFIRM_SECONDS
from exporter.simulator import RequestRecord, StandIn
from exporter.simulator.world.accounts.directory import NARROW_PERMISSIONS, WATCHER_PERMISSIONS
from tests.support.exporter import wait_until
from tests.support.standin import (
    QUEUE_PATH,
    VERSIONS,
    WATCHER,
    Scene,
    after_polls,
    asked,
    community,
    enterprise,
    fleet,
    refused,
    wait_good,
    watching,
)

CAPABILITY = "stalwart_exporter_capability"
COLLECTORS = ("queue", "logs", "outgoing", "failed")
GUARDED = {f"mx-{version}": community(version, exempt_loopback=False) for version in VERSIONS}
REPORTS_PATH = "/api/reports/dmarc"


def logins(server: StandIn) -> list[int | None]:
    """The answers to requests of the management API that carried credentials."""
    return [r.status for r in server.requests if r.path.startswith("/api/") and r.scheme != "none"]


def wait_failing(scenes: Iterable[Scene], reason: str, *, times: int) -> None:
    """Waits until each collector has failed that often: it has come around, whatever it did then."""
    for scene in scenes:
        scene.wait(
            lambda s=scene: all(s.failures(name, reason) >= times for name in COLLECTORS),  # type: ignore[misc]
            lambda s=scene: f"{s.name}: not all failed as {reason}",  # type: ignore[misc]
        )


def test_an_api_key_given_as_a_token_is_sent_as_basic(tmp_path: Path):
    """A Bearer request would count against the server's limit for strangers; the same key as Basic does not."""
    token = "api_" + base64.b64encode(":".join(WATCHER).encode()).decode()
    with watching(tmp_path, enterprise(exempt_loopback=False), login=None, token=token) as scene:
        after_polls([scene], "queue", "logs", "traces", "metrics", "outgoing")

        schemes = Counter(r.scheme for r in scene.server.requests if r.path.startswith("/api/"))
        assert schemes["basic"] > 10
        assert schemes.keys() <= {"basic", "none"}
        assert schemes["none"] <= 2
        assert not refused(scene.server, 401, 403, 429)


@pytest.mark.fault("credentials", "a wrong password")
def test_a_wrong_password_is_sent_once_and_once_more_after_each_reload(tmp_path: Path):
    """It is sent once, and once more after each reload; a corrected secret file then works."""
    secret = tmp_path / "secret"
    secret.write_text("wrong-password\n")
    secret.chmod(0o600)
    with fleet(tmp_path, GUARDED, login=None, username=WATCHER[0], password_file=str(secret)) as scenes:
        for scene in scenes.values():
            scene.wait_for("stalwart_up", 0)
        wait_failing(scenes.values(), "refused", times=1)
        assert [logins(scene.server) for scene in scenes.values()] == [[401], [401]]

        scene.reload()
        for each in scenes.values():
            each.wait(lambda s=each: len(logins(s.server)) == 2, lambda s=each: f"asked {logins(s.server)}")  # type: ignore[misc]
        # A second reload shows that the first brought one request and no more.
        scene.reload()
        for each in scenes.values():
            each.wait(lambda s=each: len(logins(s.server)) >= 3, lambda s=each: f"asked {logins(s.server)}")  # type: ignore[misc]
        assert [logins(scene.server) for scene in scenes.values()] == [[401] * 3, [401] * 3]
        assert "refused" in scene.page("/")

        secret.write_text(f"{WATCHER[1]}\n")
        scene.reload()

        for each in scenes.values():
            each.wait_for("stalwart_up", 1)
            assert logins(each.server).count(401) == 3


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """Servers that make no exception for loopback, one for each test."""
    profiles = {
        "rotated": community(exempt_loopback=False),
        "banned": community(exempt_loopback=False),
        "narrow": community(),
        "broad": community(),
        **{f"mute-{version}": enterprise(version) for version in VERSIONS},
    }
    with fleet(tmp_path_factory.mktemp("watched"), profiles) as scenes:
        wait_good(scenes.values(), "queue", "logs", "outgoing")
        yield scenes


@pytest.mark.fault("credentials", "the password changes on the server")
def test_a_secret_that_stops_working_is_not_tried_again(watched: dict[str, Scene]):
    """One request is refused, and no collector sends the key again."""
    scene = watched["rotated"]
    scene.server.call(lambda world: world.directory.rotate_secret("watcher", "rotated"))

    scene.wait_for("stalwart_up", 0)
    wait_failing([scene], "refused", times=1)

    assert logins(scene.server).count(401) == 1


LOSES = {"/api/logs": "logs", "/api/queue/reports": "outgoing_reports"}
"""What the key may not read after `lose_permissions`: path and capability."""


def lose_permissions(scene: Scene) -> int:
    """Take permissions away during an outage; return how many requests the server had answered until then."""
    scene.server.call(lambda world: world.directory.grant("watcher", NARROW_PERMISSIONS))
    answered = len(scene.server.requests)
    go_down_and_up(scene)
    for capability in LOSES.values():
        scene.wait_for(CAPABILITY, 1, capability=capability, status="forbidden")
    return answered


def in_the_first_minute(requests: Iterable[RequestRecord]) -> Counter[str]:
    """How often each path was refused until a minute after its first refusal, when it is looked at again."""
    first: dict[str, float] = {}
    early = [
        request.path
        for request in requests
        if request.status in (403, 404)
        and request.scheme != "none"
        and request.time < first.setdefault(request.path, request.time) + CONFIRM_SECONDS - 1
    ]
    return Counter(early)


def test_what_is_missing_is_asked_for_once_until_an_outage(watched: dict[str, Scene]):
    """A missing feature costs one refusal in the first minute, a lost permission two; a new outage finds it granted."""
    narrow, broad = watched["narrow"], watched["broad"]
    wait_good([narrow, broad], "reports")
    outage = lose_permissions(narrow)
    narrow.wait(
        lambda: all(in_the_first_minute(narrow.server.requests[outage:])[path] >= 2 for path in LOSES),
        lambda: f"not looked at again: {refused(narrow.server, 403, 404)}",
    )
    for _ in range(3):
        after_polls([narrow, broad], "queue")

    lost = in_the_first_minute(narrow.server.requests[outage:])
    assert lost == {"/api/queue/status": 1, "/api/telemetry/traces": 1, **dict.fromkeys((*LOSES, REPORTS_PATH), 2)}
    assert in_the_first_minute(broad.server.requests) == {"/api/telemetry/traces": 1}

    narrow.server.call(lambda world: world.directory.grant("watcher", WATCHER_PERMISSIONS))
    go_down_and_up(narrow)

    for capability in LOSES.values():
        narrow.wait_for(CAPABILITY, 1, capability=capability, status="available")


@pytest.mark.slow
@pytest.mark.fault("credentials", "permissions are revoked while the server is away")
def test_what_is_confirmed_to_be_missing_is_left_alone(tmp_path: Path):
    """A lost permission costs three refusals and a missing feature two within the minute; then nothing is refused."""
    with fleet(tmp_path, {"narrow": community(), "broad": community()}) as scenes:
        narrow, broad = scenes.values()
        wait_good([narrow, broad], "queue", "logs", "outgoing", "reports")
        # Some time later, so that the telemetry found missing after the outage is remembered until it is confirmed.
        after_polls([narrow, broad], "queue")
        lose_permissions(narrow)
        confirmed = Counter({"/api/queue/status": 1, "/api/telemetry/traces": 2})
        confirmed.update(dict.fromkeys((*LOSES, REPORTS_PATH), 3))
        wait_until(
            lambda: refusals(narrow) >= confirmed and refusals(broad)["/api/telemetry/traces"] >= 2,
            what="everything is confirmed to be missing",
            seconds=3 * CONFIRM_SECONDS,
        )

        for _ in range(5):
            after_polls([narrow, broad], "queue", "native")

        assert refusals(narrow) == confirmed
        assert refusals(broad) == {"/api/telemetry/traces": 2}


def refusals(scene: Scene) -> Counter[str]:
    """How often each path was refused to the key."""
    counts: Counter[str] = Counter()
    for (path, _), count in refused(scene.server, 403, 404).items():
        counts[path] += count
    return counts


def go_down_and_up(scene: Scene) -> None:
    """An outage that the exporter notices."""
    scene.server.stop_listening()
    scene.wait_for("stalwart_up", 0)
    scene.server.start_listening()


@pytest.mark.fault("credentials", "a key without any permission")
def test_a_key_without_any_permission_breaks_nothing(watched: dict[str, Scene]):
    """Every capability is `forbidden`, and the exporter keeps running."""
    mute = [watched[f"mute-{version}"] for version in VERSIONS]
    refusals = {}
    for scene in mute:
        scene.server.call(lambda world: world.directory.grant("watcher", frozenset()))
        scene.server.stop_listening()
    for scene in mute:
        scene.wait_for("stalwart_up", 0)
        refusals[scene.name] = len(scene.server.requests)
        scene.server.start_listening()

    for scene in mute:
        for capability in ("queue", "logs", "outgoing_reports", "traces", "stored_metrics"):
            scene.wait_for(CAPABILITY, 1, capability=capability, status="forbidden")
        assert scene.failures("queue", "forbidden") >= 1
        assert scene.value(CAPABILITY, capability="native_metrics", status="available") == 1
        since = [r for r in asked(scene.server, QUEUE_PATH) if r.status == 403]
        assert len(since) <= 2, scene.name
        assert scene.exporter.is_running()
    assert "lacks" in mute[0].page("/")


@pytest.mark.fault("credentials", "the exporter's address is banned")
def test_a_ban_is_named_and_not_stormed(watched: dict[str, Scene]):
    """Retries become less frequent, and the error names a ban as a possible cause."""
    scene = watched["banned"]
    answered = len(scene.server.requests)
    scene.server.call(lambda world: world.ban("127.0.0.1"))
    scene.server.run(drop_clients(scene))
    scene.wait_for("stalwart_up", 0)
    wait_failing([scene], "unreachable", times=2)

    blocked = scene.server.call(lambda world: world.ledger.events["security.ip-blocked"])
    assert 1 <= blocked <= 8
    assert len(scene.server.requests) <= answered + 3
    assert "banned" in scene.page("/")
    assert "server.blocked-ip" in scene.exporter.log()
    scene.server.call(lambda world: world.gate.lift("127.0.0.1"))
    scene.reload()
    scene.wait_for("stalwart_up", 1)


async def drop_clients(scene: Scene) -> None:
    """What a ban does to connections that are open."""
    scene.server.simulator.listener.drop("127.0.0.1")
