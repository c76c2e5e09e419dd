"""What a server of v0.16 holds beside mail, from the stand-in to the page; and that older servers are left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from exporter.simulator import Profile, StandIn, World
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community, server_table, watching

CAPABILITY = "stalwart_exporter_capability"
EXPIRY = "stalwart_certificate_not_after_timestamp_seconds"
FAMILIES = (EXPIRY, "stalwart_tasks", "stalwart_blocked_addresses", "stalwart_cluster_nodes")
NEEDED = {
    "stalwart_accounts": {"sysAccountQuery"},
    "stalwart_domains": {"sysDomainQuery"},
    EXPIRY: {"sysCertificateQuery", "sysCertificateGet"},
    "stalwart_tasks": {"sysTaskQuery", "sysTaskGet"},
    "stalwart_blocked_addresses": {"sysBlockedIpQuery", "sysBlockedIpGet"},
    "stalwart_cluster_nodes": {"sysClusterNodeGet"},
}
KINDS = ("Account", "Domain", "Certificate", "Task", "BlockedIp", "ClusterNode")
EVERYTHING = frozenset({"authenticate", "sysQueuedMessageQuery", "sysQueuedMessageGet"}.union(*NEEDED.values()))


def life(world: World) -> tuple[float, float]:
    """Some of everything; when the two certificates in use end."""
    inventory = world.inventory
    first = inventory.add_certificate(("mx.example.test", "imap.mx.example.test"), days_left=40)
    second = inventory.add_certificate(("*.example.test", "192.0.2.1", 'a"b\n{evil="1"} 1'), days_left=3)
    inventory.add_certificate(("mx.example.test",), days_left=-2)
    inventory.add_task("AcmeRenewal", status="Failed", attempts=3, reason="no")
    inventory.add_task("AcmeRenewal", status="Retry", attempts=1, reason="no")
    inventory.add_task("Levitate")
    for number in range(3):
        inventory.block(f"192.0.2.{number}", "portScanning")
    inventory.block("198.51.100.0/24")
    inventory.add_node("mx2.example.test")
    inventory.add_node("mx3.example.test", silent_for=2 * 3600)
    return first.ends, second.ends


@contextmanager
def jmap(
    directory: Path, permissions: Mapping[str, frozenset[str]] | None = None, *, every: float = 1
) -> Iterator[dict[str, Scene]]:
    """
    Servers of v0.16 by name, and an exporter that takes their inventories every second.

    *permissions* are those of its key on each server; without them there is one server, `mx1`, and a key for all of it.
    """
    with ExitStack() as stack:
        scenes, tables = {}, []
        for name, granted in (permissions or {"mx1": EVERYTHING}).items():
            server = stack.enter_context(StandIn(Profile(version="0.16.18")))
            server.call(lambda world, granted=granted: world.directory.grant("watcher", granted))  # type: ignore[misc]
            intervals = {"inventory": every, "queue": 1}
            login = {"login": None, "native": False, "token": server.api_key()}
            tables.append(server_table(server.url, name=name, every=None, intervals=intervals, **login))
            scenes[name] = server
        exporter = stack.enter_context(Exporter(directory, config="".join(tables)))
        yield {name: Scene(server, exporter, name) for name, server in scenes.items()}


def asked_about(scene: Scene, *kinds: str) -> int:
    """The requests so far that called a method of one of these types of object."""
    methods = {f"x:{kind}/{verb}" for kind in kinds for verb in ("query", "get")}
    return sum(not methods.isdisjoint(request.calls) for request in scene.server.requests)


def test_what_a_server_holds_is_shown(tmp_path: Path):
    """Every part with its values, no name of a host that is none, and no address."""
    with jmap(tmp_path) as scenes:
        scene = scenes["mx1"]
        first, second = scene.server.call(life)
        scene.wait_shown("stalwart_blocked_addresses", "reason", wanted={("portScanning",): 3, ("manual",): 1})
        scene.wait_shown("stalwart_cluster_nodes", "state", wanted={("active",): 2, ("stale",): 1})
        failed = {key: n for key, n in scene.shown("stalwart_tasks", "type", "state").items() if key[1] == "failed"}
        pending = {
            key[0]: n for key, n in scene.shown("stalwart_tasks", "type", "state").items() if key[1] == "pending"
        }
        expiries = scene.shown(EXPIRY, "name")
        people = scene.server.call(lambda world: sum(a.kind == "individual" for a in world.directory.accounts.values()))
        page = scene.page()
        status = scene.page("/")

    assert failed == {("AcmeRenewal", "failed"): 1}
    assert pending == {"AcmeRenewal": 1, "SpamFilterMaintenance": 2, "unknown": 1}
    assert expiries == {
        ("mx.example.test",): pytest.approx(first, abs=1),
        ("*.example.test",): pytest.approx(second, abs=1),
    }
    assert f'stalwart_accounts{{server="mx1",type="user"}} {people}\n' in page
    assert 'stalwart_domains{server="mx1"} 1\n' in page
    assert f'{CAPABILITY}{{server="mx1",capability="inventory",status="available"}} 1' in page
    assert 'unknown_values_total{server="mx1",field="certificate_name"}' in page
    assert "192.0.2" not in page
    assert "evil" not in page
    assert "mx3" not in page
    assert "inventory" in status


def test_a_renewal_moves_the_expiry_of_the_same_series(tmp_path: Path):
    """The predecessor is listed for a while and does not show."""
    names = ("mx.example.test", "imap.mx.example.test")
    with jmap(tmp_path) as scenes:
        scene = scenes["mx1"]
        old = scene.server.call(lambda world: world.inventory.add_certificate(names, days_left=1)).ends
        scene.wait(lambda: expires(scene, old), lambda: f"{scene.shown(EXPIRY, 'name')} is not {old}")

        new = scene.server.call(lambda world: world.inventory.add_certificate(names, days_left=90)).ends
        scene.wait(lambda: expires(scene, new), lambda: f"{scene.shown(EXPIRY, 'name')} is not {new}")


def expires(scene: Scene, moment: float) -> bool:
    """Whether there is one certificate, which ends then."""
    return scene.shown(EXPIRY, "name") == {("mx.example.test",): pytest.approx(moment, abs=1)}


def test_a_part_that_the_key_may_not_see_is_absent_and_the_others_stay(tmp_path: Path):
    """Absent, not zero; the capability says that something is missing; and the collector is no failing one."""
    with jmap(tmp_path, {family: EVERYTHING - needed for family, needed in NEEDED.items()}) as scenes:
        for missing, scene in scenes.items():
            scene.server.call(life)
            scene.wait_for(CAPABILITY, 1, capability="inventory", status="forbidden")
            others = NEEDED.keys() - {missing}
            scene.wait(lambda s=scene, o=others: o <= families(s), lambda o=others: f"not all of {o}")  # type: ignore[misc]

            assert missing not in families(scene)
            assert scene.value("stalwart_exporter_collector_success", collector="inventory") == 1
            assert "what it may read is shown" in scene.page(f"/servers/{scene.name}")


def families(scene: Scene) -> set[str]:
    """The names that are shown of a server."""
    return {name for name, labels in scene.samples() if ("server", scene.name) in labels}


def test_a_permission_that_is_taken_away_costs_one_refusal(tmp_path: Path):
    """The part vanishes when its last snapshot is replaced; the others go on; no poll asks for it again."""
    with jmap(tmp_path) as scenes:
        scene = scenes["mx1"]
        scene.server.call(life)
        scene.wait_shown("stalwart_cluster_nodes", "state", wanted={("active",): 2, ("stale",): 1})

        scene.server.call(lambda world: world.directory.grant("watcher", EVERYTHING - NEEDED["stalwart_tasks"]))
        scene.wait(lambda: not scene.shown("stalwart_tasks", "type"), lambda: "tasks are still shown")
        before = asked_about(scene, "Task")
        scene.after_polls("inventory")

        assert asked_about(scene, "Task") == before
        assert scene.shown("stalwart_cluster_nodes", "state") == {("active",): 2, ("stale",): 1}
        assert scene.value(CAPABILITY, capability="inventory", status="forbidden") == 1


def test_a_key_that_may_see_nothing_of_it_has_no_series_and_no_alert(tmp_path: Path):
    """The collector is off, which the alert on stale collectors goes by; nothing was refused."""
    with jmap(tmp_path, {"mx1": EVERYTHING - frozenset().union(*NEEDED.values())}) as scenes:
        scene = scenes["mx1"]
        scene.wait_for(CAPABILITY, 1, capability="inventory", status="forbidden")
        scene.after_polls("queue")
        samples = scene.samples()
        asked = asked_about(scene, *KINDS)
        status = scene.page("/")

    assert {name for name, _ in samples} & set(FAMILIES) == set()
    assert not any(
        name.startswith("stalwart_exporter_collector_") and "success" in name and ("collector", "inventory") in labels
        for name, labels in samples
    )
    assert asked == 0
    assert "the key can read none of accounts" in status


def test_an_older_server_is_asked_nothing_and_shows_nothing(tmp_path: Path):
    """No series, no failure, no success that could grow stale, no warning."""
    with watching(tmp_path, community(), intervals={"inventory": 1}) as scene:
        scene.wait_for(CAPABILITY, 1, capability="inventory", status="unsupported")
        scene.after_polls("queue", "outgoing")
        samples = scene.samples()
        about = {name for name, labels in samples if ("collector", "inventory") in labels}
        asked = asked_about(scene, *KINDS)
        paths = {request.path for request in scene.server.requests}
        warnings = [event for event in scene.exporter.events() if event.get("collector") == "inventory"]

    assert {name for name, _ in samples} & set(FAMILIES) == set()
    assert about <= {
        "stalwart_exporter_collector_interval_seconds",
        *(f"stalwart_exporter_collector_duration_seconds_{part}" for part in ("bucket", "count", "sum")),
    }
    assert asked == 0
    assert not any("jmap/" in path for path in paths)
    assert [(event["event"], event["level"]) for event in warnings] == [("poll.disabled", "info")]


def test_one_poll_costs_the_server_eight_requests(tmp_path: Path):
    """What the default interval of five minutes is weighed against."""
    with jmap(tmp_path, every=3600) as scenes:
        scene = scenes["mx1"]
        scene.wait_for("stalwart_exporter_collector_success", 1, collector="inventory")

        assert asked_about(scene, *KINDS) == 8


def test_an_upgrade_brings_the_inventory(tmp_path: Path):
    """Under a running exporter, without waiting for the next hour."""
    with StandIn(community()) as server:
        key = server.api_key()
        table = server_table(server.url, login=None, token=key, native=False, every=1, intervals={"inventory": 1})
        with Exporter(tmp_path, config=table) as exporter:
            scene = Scene(server, exporter)
            scene.wait_for("stalwart_up", 0)
            server.upgrade("0.16.18")
            scene.reload()
            scene.wait_for("stalwart_cluster_nodes", 1, state="active")
            assert scene.value(CAPABILITY, capability="inventory", status="available") == 1
