"""The inventory's collector: what it publishes, and what it says about the key."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from exporter.errors import TargetForbidden, TargetTimeout, TargetUnsupported
from exporter.ingest.jobs.inventory.job import InventoryJob
from exporter.model.inventory import PARTS, Inventory
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.client import StalwartClient
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook

FULL = Inventory(accounts={}, domains=1, certificates=[], tasks={}, blocked={}, nodes={}, unknown={"task_type": 2})


class Telling:
    """A client whose server answers so."""

    def __init__(self, answer: Inventory | Exception) -> None:
        self.answer = answer

    async def fetch_inventory(self) -> Inventory:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Polled:
    """A collector, its board, and a clock moved by hand."""

    def __init__(self, interval_seconds: float = 300.0) -> None:
        self.seconds = 0.0
        self.board = ServerBoard("mx1", TallyBook(), monotonic=lambda: self.seconds)
        self.job = InventoryJob(self.board, interval_seconds=interval_seconds)

    def poll(self, answer: Inventory | Exception) -> None:
        asyncio.run(self.job(cast(StalwartClient, Telling(answer))))

    @property
    def capability(self) -> CapabilityStatus | None:
        return self.board.capabilities.get(Capability.INVENTORY)


def test_an_inventory_is_shown_for_three_intervals():
    """And what was not known in it is counted."""
    polled = Polled()

    polled.poll(FULL)

    assert polled.board.inventory is FULL
    assert polled.board.unknown == {"task_type": 2}
    assert polled.capability is CapabilityStatus.AVAILABLE
    polled.seconds = 899.9
    assert polled.board.inventory is FULL
    polled.seconds = 900.0
    assert polled.board.inventory is None


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_withheld_is_told_by_the_capability(part: str):
    """While the others are published; once it is granted all is well."""
    polled = Polled()
    withheld: Any = {part: None}

    polled.poll(replace(FULL, **withheld))

    assert polled.board.inventory is not None
    assert polled.board.inventory.withheld == (part,)
    assert polled.capability is CapabilityStatus.FORBIDDEN
    polled.poll(FULL)
    assert polled.capability is CapabilityStatus.AVAILABLE


def test_a_key_that_may_see_nothing_turns_the_collector_off():
    """As a refusal would, so that it is asked for once an hour."""
    polled = Polled()
    nothing = Inventory(accounts=None, domains=None, certificates=None, tasks=None, blocked=None, nodes=None)

    with pytest.raises(TargetForbidden, match="none of accounts, domains"):
        polled.poll(nothing)

    assert polled.capability is CapabilityStatus.FORBIDDEN
    assert polled.board.inventory is None


def test_a_server_that_has_none_is_told_by_the_capability():
    """A downgraded one too."""
    polled = Polled()
    polled.poll(FULL)

    with pytest.raises(TargetUnsupported):
        polled.poll(TargetUnsupported("no"))

    assert polled.capability is CapabilityStatus.UNSUPPORTED


def test_trouble_changes_nothing_but_the_age():
    """The last inventory stays until it is too old, and the capability is what it was."""
    polled = Polled()
    polled.poll(FULL)

    with pytest.raises(TargetTimeout):
        polled.poll(TargetTimeout("late"))

    assert polled.board.inventory is FULL
    assert polled.capability is CapabilityStatus.AVAILABLE
