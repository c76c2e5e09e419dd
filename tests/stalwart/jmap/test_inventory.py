"""What a server holds beside mail, and what a key may see of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.errors import PayloadError
from exporter.model.inventory import AccountKind, Inventory, NodeStatus, TaskState
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.http.credentials import Bearer
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.inventory import TASK_TYPES
from exporter.stalwart.jmap.probe import PERMISSIONS, examine
from exporter.stalwart.rest.probe import Examination
from tests.support.replays.jmap import NARROW_KEY, JmapServer, MethodError, id_of
from tests.support.replays.jmap_client import asked, methods_of
from tests.support.virtual_time import HandClock


def inventory_of(server: JmapServer, **settings: Any) -> Inventory:
    """One poll."""
    return asked(server, lambda client: client.fetch_inventory(), **settings)


def examined(server: JmapServer, **settings: Any) -> Examination:
    """What the doctor is told."""

    async def job(client: JmapClient) -> Examination:
        return await examine(client, await client.identify())

    return asked(server, job, identify=False, **settings)


def test_the_recorded_server_is_counted():
    """Seven users, one domain, one node, tasks that wait or are retried, nothing blocked and no certificate."""
    server = JmapServer.recorded()

    inventory = inventory_of(server)

    assert inventory.accounts == {AccountKind.USER: 7, AccountKind.GROUP: 0}
    assert (inventory.domains, inventory.certificates) == (1, [])
    assert inventory.nodes is not None
    assert inventory.nodes[NodeStatus.ACTIVE] == 1
    assert inventory.blocked is not None
    assert set(inventory.blocked.values()) == {0}
    tasks = inventory.tasks
    assert tasks is not None
    assert {name: count for (name, _), count in tasks.items() if count} == {
        "DmarcReport": 1,
        "TlsReport": 1,
        "SpamFilterMaintenance": 2,
    }
    assert {name for name, state in tasks if state is TaskState.FAILED} == {*TASK_TYPES, "unknown"}
    assert inventory.unknown == {}
    assert all(len(row.calls) <= 16 for row in server.asked)


def test_certificates_expire_when_they_say():
    """With the names that they are for."""
    server = JmapServer.recorded()
    names = {"MX.example.test": True, "mail.example.test": True}
    server.rows["Certificate"] = [
        {"id": "b", "subjectAlternativeNames": names, "issuer": "x", "notValidAfter": "2026-11-30T00:00:00Z"}
    ]

    certificates = inventory_of(server).certificates

    assert certificates is not None
    assert certificates[0].names == ["mail.example.test", "mx.example.test"]
    assert certificates[0].not_after == datetime(2026, 11, 30, tzinfo=UTC)


def test_failed_tasks_are_told_by_type():
    """Those of types that a later release has are unknown."""
    server = JmapServer.recorded()
    server.rows["Task"] = [
        {"id": id_of(n + 1), "@type": kind, "status": {"@type": state}}
        for n, (kind, state) in enumerate(
            [("AcmeRenewal", "Failed"), ("AcmeRenewal", "Retry"), ("Levitate", "Failed"), ("Levitate", "Pending")]
        )
    ]

    inventory = inventory_of(server)

    assert inventory.tasks is not None
    assert {key: count for key, count in inventory.tasks.items() if count} == {
        ("AcmeRenewal", TaskState.FAILED): 1,
        ("AcmeRenewal", TaskState.PENDING): 1,
        ("unknown", TaskState.FAILED): 1,
        ("unknown", TaskState.PENDING): 1,
    }
    assert inventory.unknown == {"task_type": 2}


def test_blocked_addresses_and_nodes_are_told_apart():
    """Over more than one page, without their addresses and names."""
    server = JmapServer.recorded()
    reasons = ["authFailure"] * 700 + ["portScanning", "cosmicRays"]
    server.rows["BlockedIp"] = [
        {"id": id_of(n + 1), "address": "192.0.2.1", "reason": reason, "expiresAt": None}
        for n, reason in enumerate(reasons)
    ]
    server.rows["ClusterNode"] = [
        {"id": id_of(n + 1), "nodeId": n, "hostname": "x", "status": status}
        for n, status in enumerate(["active", "active", "stale", "asleep"])
    ]

    inventory = inventory_of(server)

    assert inventory.blocked is not None
    assert {reason: n for reason, n in inventory.blocked.items() if n} == {
        "authFailure": 700,
        "portScanning": 1,
        "unknown": 1,
    }
    assert inventory.nodes == {
        NodeStatus.ACTIVE: 2,
        NodeStatus.STALE: 1,
        NodeStatus.INACTIVE: 0,
        NodeStatus.UNKNOWN: 1,
    }
    assert inventory.unknown == {"block_reason": 1, "node_status": 1}


def test_what_a_key_may_not_see_is_absent_and_not_asked_for():
    """Absent is not none."""
    server = JmapServer.recorded()

    inventory = inventory_of(server, login=Bearer(NARROW_KEY))

    assert inventory == Inventory(accounts=None, domains=None, certificates=None, tasks=None, blocked=None, nodes=None)
    assert server.batches == 0


def test_names_that_are_no_hosts_do_not_come_through():
    """A certificate may hold addresses and anybody's text; what is left names it, and the rest is counted once."""
    server = JmapServer.recorded()
    end = {"notValidAfter": "2026-11-30T00:00:00Z"}
    hostile = ["192.0.2.1", "2001:db8::1", 'x"y', "a b", "*", "*.*.example.test", "x" * 300, ""]
    server.rows["Certificate"] = [
        {"id": "b", "subjectAlternativeNames": dict.fromkeys([*hostile, "*.Example.test", "bücher.test"], True), **end},
        {"id": "c", "subjectAlternativeNames": dict.fromkeys(hostile, True), **end},
    ]

    inventory = inventory_of(server)

    assert inventory.certificates is not None
    assert sorted(list(one.names) for one in inventory.certificates) == [[], ["*.example.test", "xn--bcher-kva.test"]]
    assert inventory.unknown == {"certificate_name": 2}


def test_what_is_too_much_to_look_at_is_still_counted():
    """Beyond some pages the reasons are not known any more, the number is."""
    server = JmapServer.recorded()
    server.rows["BlockedIp"] = [
        {"id": id_of(n + 1), "address": "192.0.2.1", "reason": "manual", "expiresAt": None} for n in range(10_200)
    ]

    inventory = inventory_of(server)

    assert inventory.blocked is not None
    assert {reason: n for reason, n in inventory.blocked.items() if n} == {"manual": 10_000, "unknown": 200}


def test_a_part_that_is_refused_leaves_the_others_and_is_left_alone_for_an_hour():
    """A refusal moves a counter of the server's: one an hour, not one a poll."""
    server = JmapServer.recorded()
    server.error["x:Task/query"] = MethodError("forbidden", "You are not authorized to perform this action")
    clock = HandClock()
    asked_for: list[int] = []
    seen: list[Inventory] = []

    async def job(client: JmapClient) -> None:
        for ahead in (0, 300, 3700):
            clock.seconds = ahead
            seen.append(await client.fetch_inventory())
            asked_for.append(len([name for name, _ in methods_of(server, "Task") if name == "query"]))
        server.error.clear()
        clock.seconds = 7400
        seen.append(await client.fetch_inventory())

    asked(server, job, clock=clock)

    assert [inventory.withheld for inventory in seen] == [("tasks",), ("tasks",), ("tasks",), ()]
    assert [inventory.domains for inventory in seen] == [1, 1, 1, 1]
    assert asked_for == [1, 1, 2]


def test_a_permission_that_was_granted_is_noticed_within_the_hour():
    """The list of permissions is asked for again, not the thing."""
    server = JmapServer.recorded()
    permissions = server.account["permissions"]
    server.account = {**server.account, "permissions": [p for p in permissions if p != "sysTaskQuery"]}
    clock = HandClock()
    withheld: list[tuple[str, ...]] = []

    async def job(client: JmapClient) -> None:
        for ahead in (0, 3500, 3700):
            clock.seconds = ahead
            withheld.append((await client.fetch_inventory()).withheld)
            server.account = {**server.account, "permissions": permissions}

    asked(server, job, clock=clock)

    assert withheld == [("tasks",), ("tasks",), ()]


@pytest.mark.parametrize(
    ("kind", "row"), [("Certificate", {"notValidAfter": "soon"}), ("BlockedIp", {"reason": 1}), ("ClusterNode", {})]
)
def test_objects_that_cannot_be_read_are_a_payload_error(kind: str, row: dict[str, Any]):
    """Nothing is guessed."""
    server = JmapServer.recorded()
    server.rows[kind] = [{"id": "b", **row}]

    with pytest.raises(PayloadError, match=f"x:{kind}/get"):
        inventory_of(server)


def test_the_doctor_is_told_what_a_key_may_do():
    """A community server lacks telemetry, whatever the key may do; the queue's state cannot be read at all."""
    found = examined(JmapServer.recorded())

    assert found.missing == ()
    assert found.statuses == {
        Capability.QUEUE: CapabilityStatus.AVAILABLE,
        Capability.QUEUE_STATUS: CapabilityStatus.UNSUPPORTED,
        Capability.OUTGOING_REPORTS: CapabilityStatus.AVAILABLE,
        Capability.REPORTS: CapabilityStatus.AVAILABLE,
        Capability.INVENTORY: CapabilityStatus.AVAILABLE,
        Capability.DOMAIN_RECORDS: CapabilityStatus.AVAILABLE,
        Capability.ACCOUNTS: CapabilityStatus.AVAILABLE,
        Capability.SETTINGS: CapabilityStatus.AVAILABLE,
        Capability.LOGS: CapabilityStatus.AVAILABLE,
        Capability.NATIVE_METRICS: CapabilityStatus.AVAILABLE,
        Capability.STORED_METRICS: CapabilityStatus.NOT_LICENSED,
        Capability.TRACES: CapabilityStatus.NOT_LICENSED,
        Capability.LIVE_METRICS: CapabilityStatus.NOT_LICENSED,
        Capability.LIVE_TRACES: CapabilityStatus.NOT_LICENSED,
    }


def test_the_doctor_is_told_what_a_key_lacks():
    """Of what the server could give; nothing is refused for it."""
    server = JmapServer.recorded()
    server.account = {**server.account, "edition": "enterprise"}

    found = examined(server, login=Bearer(NARROW_KEY))

    wanted = {permission for needed in PERMISSIONS.values() for permission in needed}
    assert set(found.missing) == wanted - {"sysQueuedMessageQuery"}
    assert server.batches == 0


def test_the_doctor_is_told_that_the_page_is_off():
    """It is off by default."""
    server = JmapServer.recorded()
    answer = server.answer

    def off(identity: str, method: str, path: str, body: bytes) -> Any:
        return answer(identity, method, "/none" if path == "/metrics/prometheus" else path, body)

    server.answer = off  # type: ignore[method-assign]

    assert examined(server).statuses[Capability.NATIVE_METRICS] is CapabilityStatus.NOT_CONFIGURED
