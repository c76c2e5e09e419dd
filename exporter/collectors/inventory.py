"""The inventory's families: certificates, tasks, blocked addresses and cluster nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from exporter.collectors import families as f
from exporter.collectors.exposition import Collected, Labels
from exporter.model.inventory import UNKNOWN, Certificate
from exporter.model.queue import OTHER_DOMAIN
from exporter.state.board import Part, ServerBoard


class InventorySource:
    """
    The inventory of the latest successful poll; parts that the key may not read are absent::

        stalwart_certificate_not_after_timestamp_seconds{server="mx1",name="mx1.example.org"} 1796000000.0
        stalwart_tasks{server="mx1",type="AcmeRenewal",state="failed"} 1
        stalwart_blocked_addresses{server="mx1",reason="authFailure"} 12
        stalwart_cluster_nodes{server="mx1",state="active"} 3
    """

    def __init__(self, board: ServerBoard, *, max_domains: int) -> None:
        self._board = board
        self._max_domains = max_domains

    def version(self) -> object:
        return self._board.version(Part.INVENTORY)

    def collect(self) -> Iterator[Collected]:
        inventory = self._board.inventory
        if inventory is None:
            return
        if inventory.certificates is not None:
            yield f.CERTIFICATE_NOT_AFTER, self._expiries(inventory.certificates)
        if inventory.tasks is not None:
            yield f.TASKS, {(kind, state.value): n for (kind, state), n in sorted(inventory.tasks.items())}
        if inventory.blocked is not None:
            yield f.BLOCKED_ADDRESSES, {(reason,): n for reason, n in sorted(inventory.blocked.items())}
        if inventory.nodes is not None:
            yield f.CLUSTER_NODES, {(state.value,): n for state, n in inventory.nodes.items()}

    def _expiries(self, certificates: Sequence[Certificate]) -> Mapping[Labels, float]:
        shown, dropped = soonest(in_use(certificates), self._max_domains)
        if dropped:
            name = f.CERTIFICATE_NOT_AFTER.name
            self._board.dropped[name] += dropped
        return shown


class SettingsSource:
    """
    When the server's settings changed::

        stalwart_settings_change_timestamp_seconds{server="mx1",area="mta"} 1796000000
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.SETTINGS)

    def collect(self) -> Iterator[Collected]:
        changes = self._board.settings_changes
        if changes is not None:
            yield f.SETTINGS_CHANGE, {(area,): at for area, at in sorted(changes.items())}


def in_use(certificates: Sequence[Certificate]) -> Mapping[str, datetime]:
    """
    Return the expiry of each certificate that is the newest for at least one host, by the shortest of these hosts.

    A certificate that is left out has been replaced for each of its names by one that expires later. A renewal for the
    same names keeps the name. Certificates without a readable name count as one.
    """
    newest: dict[str, Certificate] = {}
    for certificate in certificates:
        for host in certificate.names or (UNKNOWN,):
            if host not in newest or _rank(certificate) > _rank(newest[host]):
                newest[host] = certificate
    hosts: dict[tuple[str, ...], list[str]] = {}
    expiries: dict[tuple[str, ...], datetime] = {}
    for host, certificate in newest.items():
        names = tuple(certificate.names)
        hosts.setdefault(names, []).append(host)
        expiries[names] = certificate.not_after
    return {min(found, key=lambda host: (len(host), host)): expiries[names] for names, found in hosts.items()}


def _rank(certificate: Certificate) -> tuple[datetime, Sequence[str]]:
    return certificate.not_after, certificate.names


def soonest(expiries: Mapping[str, datetime], most: int) -> tuple[Mapping[Labels, float], int]:
    """Return the *most* that expire first, the earliest of the rest as ``other``, and the number of the rest."""
    ordered = sorted(expiries.items(), key=lambda item: (item[1], item[0]))
    shown: dict[Labels, float] = {}
    for place, (name, not_after) in enumerate(ordered):
        label = name if place < most else OTHER_DOMAIN
        shown.setdefault((label,), not_after.timestamp())
    return shown, max(0, len(ordered) - most)
