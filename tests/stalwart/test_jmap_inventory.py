"""What a server holds beside mail, and what a key may see of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.errors import PayloadError
from exporter.model.inventory import AccountKind, Inventory, NodeStatus, TaskState
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.credentials import Bearer
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.examine import PERMISSIONS, examine
from exporter.stalwart.jmap.inventory import TASK_TYPES
from exporter.stalwart.rest.examine import Examination
from tests.stalwart.jmap_replay import NARROW_KEY, JmapServer, id_of
from tests.stalwart.jmap_support import asked


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
