"""When settings changed, over restarts of the exporter and upgrades of the server."""

from __future__ import annotations

import json

import pytest

from exporter.ingest.jobs.inventory.settings import SettingsState
from exporter.model.inventory import SettingsDigests

AREAS = {"MtaStageRcpt": "mta", "MtaRoute": "mta", "SpamSettings": "spam"}


def found(**digests: str) -> SettingsDigests:
    """One look at some kinds of settings."""
    return SettingsDigests(digests=digests, areas={kind: AREAS[kind] for kind in digests})


def test_the_first_look_is_no_change() -> None:
    """It is the time from which on changes are known."""
    state = SettingsState()

    assert state.look(found(MtaStageRcpt="a", SpamSettings="b"), version="0.16.18", at=100) == frozenset()
    assert state.changed_at == {"mta": 100, "spam": 100}


def test_a_change_moves_the_time_of_its_area() -> None:
    """And of no other."""
    state = SettingsState()
    state.look(found(MtaStageRcpt="a", SpamSettings="b"), version="0.16.18", at=100)

    assert state.look(found(MtaStageRcpt="c", SpamSettings="b"), version="0.16.18", at=200) == {"mta"}
    assert state.look(found(MtaStageRcpt="c", SpamSettings="b"), version="0.16.18", at=300) == frozenset()
    assert state.changed_at == {"mta": 200, "spam": 100}


def test_a_restart_is_no_change_and_hides_none() -> None:
    """The key is saved too: with another one everything would seem to have changed."""
    state = SettingsState()
    state.look(found(MtaStageRcpt="a", SpamSettings="b"), version="0.16.18", at=100)

    restored = SettingsState.restore(json.loads(json.dumps(state.saved())))

    assert restored.key == state.key
    assert restored.look(found(MtaStageRcpt="a", SpamSettings="c"), version="", at=200) == {"spam"}
    assert restored.changed_at == {"mta": 100, "spam": 200}


def test_an_upgrade_compares_nothing() -> None:
    """A release has members that the one before did not have; what comes later counts again."""
    state = SettingsState()
    state.look(found(MtaStageRcpt="a"), version="0.16.17", at=100)

    assert state.look(found(MtaStageRcpt="b"), version="0.16.18", at=200) == frozenset()
    assert state.look(found(MtaStageRcpt="c"), version="0.16.18", at=300) == {"mta"}


def test_what_becomes_readable_is_no_change() -> None:
    """Nor is what vanishes for a while, unless it comes back otherwise."""
    state = SettingsState()
    state.look(found(MtaStageRcpt="a"), version="0.16.18", at=100)

    assert state.look(found(MtaStageRcpt="a", MtaRoute="r"), version="0.16.18", at=200) == frozenset()
    assert state.look(found(MtaStageRcpt="a"), version="0.16.18", at=300) == frozenset()
    assert state.look(found(MtaStageRcpt="a", MtaRoute="s"), version="0.16.18", at=400) == {"mta"}


@pytest.mark.parametrize("state", [{}, {"key": "zz", "version": "", "digests": {}, "changed_at": {}}])
def test_a_damaged_state_is_refused(state: dict[str, object]) -> None:
    """With an error that the ledger knows."""
    with pytest.raises((ValueError, LookupError)):
        SettingsState.restore(state)
