"""Why a message was put off: the failure of a recipient that is still to be delivered, whenever it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.simulator import Profile, Reply, StandIn, World
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community, counting, enterprise, outcomes, outcomes_by_domain, server_table

VERSIONS = ("0.15.5", "0.16.18")
SOURCES: dict[str, tuple[Profile, str]] = {
    f"{source}-{version[2:4]}": (profile, streams)
    for version in VERSIONS
    for source, profile, streams in (
        ("log", community(version), "off"),
        ("stored", enterprise(version), "off"),
        ("live", enterprise(version), "auto"),
    )
}
NO_SUCH_USER = Reply(550, "5.1.1", "No such user")
LATER = Reply(451, "4.7.1", "Try again later")
REFUSED = "unexpected_response"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Scene]]:
    """Servers of both generations, whose deliveries are counted from the log, from stored and from live traces."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(StandIn(profile)) for name, (profile, _) in SOURCES.items()}
        tables = (server_table(servers[name].url, name=name, streams=SOURCES[name][1]) for name in servers)
        exporter = stack.enter_context(Exporter(tmp_path_factory.mktemp("deferrals"), config="".join(tables)))
        made = [Scene(server, exporter, name) for name, server in servers.items()]
        counting(made)
        for scene in made:
            if scene.name.startswith("live"):
                scene.wait_for("stalwart_exporter_stream_connected", 1, stream="traces")
        yield made


def agree(scene: Scene) -> None:
    """The exporter shows the deliveries that the stand-in made, each with its reason and domain."""
    scene.wait_shown("stalwart_deliveries_total", "outcome", "reason", "code", wanted=outcomes(scene.server))
    scene.wait_shown("stalwart_domain_deliveries_total", "domain", "outcome", wanted=outcomes_by_domain(scene.server))


@pytest.mark.fault("server", "one recipient is rejected permanently, another is deferred in the same attempt")
def test_a_deferral_is_not_put_down_to_another_recipients_rejection(scenes: list[Scene]):
    """Each outcome is counted with its own recipient's reply code."""

    def prepare(world: World) -> None:
        world.set_destination("mixed.test", "accept", replies={"gone": NO_SUCH_USER, "later": LATER})

    for scene in scenes:
        scene.server.call(prepare)
        scene.mail("later@mixed.test", "gone@mixed.test", "fine@mixed.test")
        scene.mail("a@defer.test", "b@reject.test", "c@ok.test")
        scene.mail("a@reject.test", "b@full.test", "quota@full.test")
        scene.mail("a@refused.test", "b@nullmx.test")

    for scene in scenes:
        agree(scene)
        shown = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        assert shown["temporary_failure", REFUSED, "451"] == 2, scene.name
        assert ("temporary_failure", REFUSED, "550") not in shown, scene.name
        assert shown["permanent_failure", REFUSED, "550"] == 3, scene.name


@pytest.mark.fault("server", "local mail is delivered while another recipient of the message is deferred")
def test_a_deferral_is_not_put_down_to_a_domain_whose_mail_was_delivered(scenes: list[Scene]):
    """The server also reschedules the local attempt; no domain has that deferral, and the other one its own code."""
    # A live stream shows it with the next message or heartbeat.
    for scene in [scene for scene in scenes if not scene.name.startswith("live")]:
        before = scene.shown("stalwart_domain_deliveries_total", "domain", "outcome")
        codes = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        scene.mail("bob@example.test", "a@defer.test")

        agree(scene)
        shown = scene.shown("stalwart_domain_deliveries_total", "domain", "outcome")
        assert shown["example.test", "delivered"] == before.get(("example.test", "delivered"), 0) + 1, scene.name
        assert ("example.test", "temporary_failure") not in shown, scene.name
        deferred = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        refused = ("temporary_failure", REFUSED, "451")
        assert deferred[refused] == codes.get(refused, 0) + 1, scene.name


@pytest.mark.fault("server", "the reason of a deferral is written without its message")
def test_a_reason_without_its_message_is_found_by_its_recipient(scenes: list[Scene]):
    """A busy server's log names only the recipient, whose deferral has that reason and no other one."""

    def prepare(world: World) -> None:
        world.set_destination("stray.test", "defer", stray_reasons=True)

    from_the_log = [scene for scene in scenes if scene.name.startswith("log")]
    for scene in from_the_log:
        scene.server.call(prepare)
        scene.mail("a@stray.test", times=3)
        scene.mail("b@stray.test", "b@reject.test")

    for scene in from_the_log:
        agree(scene)


@pytest.mark.fault("server", "the reason of a deferral is written a moment after it")
def test_a_reason_that_is_written_after_the_deferral_is_waited_for(scenes: list[Scene]):
    """The deferral is counted with the reason that follows it, not with an earlier one."""

    def prepare(world: World) -> None:
        world.set_destination("late.test", "defer", late_reasons=True)

    for scene in scenes:
        scene.server.call(prepare)
        scene.mail("a@late.test", times=3)
        scene.mail("a@late.test", "b@reject.test")

    for scene in scenes:
        agree(scene)
        shown = scene.shown("stalwart_deliveries_total", "outcome", "reason", "code")
        assert shown["temporary_failure", REFUSED, "451"] >= 4, scene.name
        assert not any("tls_error" in labels for labels in shown), scene.name


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("process", "the exporter is killed in the middle of a delivery attempt")
def test_a_kill_in_the_middle_of_an_attempt_loses_neither_count_nor_reason(version: str, tmp_path: Path):
    """The attempt's failures are saved with the log position; its outcome is counted with the reason."""
    with StandIn(community(version, greeting_timeout_seconds=300.0)) as server:
        exporter = Exporter(tmp_path, config=server_table(server.url))
        with exporter:
            scene = Scene(server, exporter, "mx1")
            counting([scene])
            scene.mail("a@ok.test", "b@hang.test")
            scene.after_polls("logs")
            exporter.kill()
            server.advance(301)
            exporter.start()

            agree(scene)

            assert outcomes(server)["temporary_failure", "connection_error", ""] == 1
