"""The objects of a server besides mail and accounts."""

from __future__ import annotations

from exporter.simulator.jmap.query import Entry, fixed_entry
from exporter.simulator.jmap.wire import Json, as_set
from exporter.simulator.world.ids import encode_id
from exporter.simulator.world.inventory import AUTH_FAILURE, Task
from exporter.simulator.world.values import rfc3339
from exporter.simulator.world.world import World

DOMAIN_NUMBER = 1
"""The number of the first domain, to which the keys belong."""


def domain_numbers(world: World) -> dict[str, int]:
    """Return the number of each domain by its name."""
    names = [account.name for account in world.directory.accounts.values() if account.kind == "domain"]
    return {name: DOMAIN_NUMBER + place for place, name in enumerate(names)}


def _stamp(seconds: float | None) -> str | None:
    return rfc3339(seconds) if seconds is not None else None


def tasks(world: World) -> list[Entry]:
    """Return the tasks, including those of reports to be sent."""
    rows = [_task(task) for task in world.inventory.tasks.values()]
    for report in world.outgoing.ascending():
        rows.append(
            _task(
                Task(
                    number=report.number,
                    kind=f"{report.kind.capitalize()}Report",
                    created=report.begin,
                    due=report.due,
                    subject={"reportId": encode_id(report.number)},
                )
            )
        )
    return sorted(rows, key=lambda entry: entry.number)


def _task(task: Task) -> Entry:
    status: Json = {"createdAt": rfc3339(task.created), "due": rfc3339(task.due)}
    if task.status == "Retry":
        status |= {"attemptNumber": task.attempts, "failureReason": task.reason}
    elif task.status == "Failed":
        status = {
            "createdAt": rfc3339(task.created),
            "failedAt": rfc3339(task.due),
            "failedAttemptNumber": task.attempts,
            "failureReason": task.reason,
        }
    failed = task.status == "Failed"
    shown: Json = {**task.subject, "status": {**status, "@type": task.status}, "@type": task.kind}
    if not failed:
        shown["due"] = rfc3339(task.due)
    return fixed_entry(
        task.number, shown, **{"@type": task.kind, "due": None if failed else task.due, "failed": failed}
    )


def certificates(world: World) -> list[Entry]:
    """Return the certificates that the server uses."""
    return [
        fixed_entry(
            one.number,
            {
                "certificate": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                "privateKey": "****",
                "subjectAlternativeNames": as_set(one.names),
                "issuer": one.issuer,
                "notValidBefore": rfc3339(one.begins),
                "notValidAfter": rfc3339(one.ends),
            },
            text=" ".join(one.names),
            subjectAlternativeNames=one.names,
        )
        for one in world.inventory.certificates.values()
    ]


def signatures(world: World) -> list[Entry]:
    """Return the DKIM keys."""
    numbers = domain_numbers(world)
    return [
        fixed_entry(
            one.number,
            {
                "@type": one.kind,
                "domainId": encode_id(numbers.get(one.domain, DOMAIN_NUMBER)),
                "selector": one.selector,
                "stage": one.stage,
                "publicKey": one.public_key,
                "privateKey": {"@type": "Text", "secret": "****"},
                "createdAt": rfc3339(one.created),
                "nextTransitionAt": _stamp(one.next_stage),
                "memberTenantId": None,
            },
            domainId=numbers.get(one.domain, DOMAIN_NUMBER),
            memberTenantId=None,
        )
        for one in world.inventory.signatures.values()
    ]


def blocks(world: World) -> list[Entry]:
    """Return the addresses that are banned now."""
    now = world.now()
    return [
        fixed_entry(
            one.number,
            {
                "address": one.address,
                "reason": one.reason,
                "createdAt": rfc3339(one.created),
                "expiresAt": _stamp(one.expires),
            },
            address=one.address,
        )
        for one in sorted(world.inventory.blocks.values(), key=lambda one: one.number)
        if (one.expires is None or one.expires > now)
        and (one.reason != AUTH_FAILURE or one.address in world.gate.banned)
    ]


def nodes(world: World) -> list[Entry]:
    """Return the nodes of the cluster."""
    now = world.now()
    return [
        fixed_entry(
            node.node_id,
            {
                "nodeId": node.node_id,
                "hostname": node.hostname,
                "lastRenewal": rfc3339(node.last_renewal(now)),
                "status": node.status(now),
            },
            nodeId=node.node_id,
        )
        for node in world.inventory.nodes.values()
    ]


def samples(world: World) -> list[Entry]:
    """Return the training samples of the spam filter."""
    return [
        fixed_entry(
            one.number,
            {
                "from": one.sender,
                "subject": one.subject,
                "blobId": encode_id(one.number),
                "isSpam": one.is_spam,
                "accountId": None,
                "expiresAt": rfc3339(one.created + 180 * 86_400),
                "deleteAfterUse": False,
            },
            accountId=None,
        )
        for one in world.inventory.samples.values()
    ]
