"""What a stand-in wants published, as lines of a zone file."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.model.posture import Record
from exporter.simulator import World
from exporter.simulator.world.accounts.zone import WantedRecord, rest_records, zone_records

HOST_LINES = (
    "mx.example.test. IN A 127.0.0.1",
    "1.0.0.127.in-addr.arpa. IN PTR mx.example.test.",
)
"""The stand-in's host in DNS. On loopback, a port on which nobody listens is refused at once: no test waits for it."""


def wanted_lines(world: World, domain: str) -> list[str]:
    """Everything that the server wants for *domain*."""
    keys = world.inventory.public_keys(domain, local=domain == world.profile.local_domain)
    made = zone_records if world.profile.jmap else rest_records
    return lines_of(made(domain, world.profile.hostname, keys))


def lines_of(records: Iterable[WantedRecord]) -> list[str]:
    """The records as lines of a zone file."""
    return [Record(name=one.name.removesuffix("."), type=one.kind, content=one.content).zone_line() for one in records]
