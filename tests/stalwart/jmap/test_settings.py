"""Digests of settings: a change shows, a value does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.errors import TargetForbidden
from exporter.model.inventory import SettingsDigests
from exporter.stalwart.http.allowlist import SETTINGS_LISTS, SETTINGS_SINGLETONS
from tests.support.paths import RECORDINGS
from tests.support.replays.jmap import JmapServer, MethodError
from tests.support.replays.jmap_client import asked

KEY = bytes(range(32))
ROWS: list[dict[str, Any]] = json.loads((RECORDINGS / "ops-0.16.18" / "settings.json").read_text())
KINDS = {kind for table in (SETTINGS_SINGLETONS, SETTINGS_LISTS) for kinds in table.values() for kind in kinds}


def server_with_settings() -> JmapServer:
    """A server with the settings that were recorded first, and a key that may read all of them."""
    server = JmapServer.recorded()
    for row in ROWS:
        for method, result, _ in row["body"]["methodResponses"]:
            if method.endswith("/get"):
                server.rows.setdefault(method[2:-4], [dict(one) for one in result["list"]])
    granted = [f"sys{kind}{verb}" for kind in KINDS for verb in ("Get", "Query")]
    server.account["permissions"] = [*server.account["permissions"], *granted]
    return server


def digests(server: JmapServer, key: bytes = KEY) -> SettingsDigests:
    """One look."""
    return asked(server, lambda client: client.fetch_settings_digests(key))


def test_every_recorded_kind_of_settings_has_a_digest_and_an_area() -> None:
    """Each singleton that the real server has, and the lists that are not empty or at least readable."""
    recorded = {method[2:-4] for row in ROWS for method, _, _ in row["body"]["methodResponses"] if "/get" in method}
    server = server_with_settings()

    found = digests(server)

    assert recorded <= KINDS
    assert recorded <= found.digests.keys() == found.areas.keys()
    assert found.areas["MtaStageRcpt"] == "mta"
    assert len([row for row in server.asked if row.calls]) <= 6
    assert all(len(row.calls) <= 16 for row in server.asked)


def test_a_change_shows_in_its_own_kind_only() -> None:
    """As recorded before and after one; the order of members means nothing."""
    server = server_with_settings()
    before = digests(server)
    [changed] = [row for row in ROWS if (row.get("note") or "").startswith("after a change")]
    [[_, result, _]] = changed["body"]["methodResponses"]
    server.rows["MtaStageRcpt"] = result["list"]
    server.rows["SystemSettings"] = [dict(reversed(row.items())) for row in server.rows["SystemSettings"]]

    after = digests(server)

    assert {kind for kind in before.digests if before.digests[kind] != after.digests[kind]} == {"MtaStageRcpt"}


def test_no_value_is_in_a_digest() -> None:
    """Equal settings have other digests under another key, so nobody can try values."""
    server = server_with_settings()

    one, other = digests(server), digests(server, bytes(32))

    assert not set(one.digests.values()) & set(other.digests.values())
    assert all(len(digest) == 32 for digest in one.digests.values())


def test_what_the_key_may_not_read_is_left_out_without_a_request() -> None:
    """And a key that may read nothing is forbidden."""
    server = server_with_settings()
    server.account["permissions"] = ["authenticate", "sysMtaStageRcptGet", "sysWebHookGet"]
    assert set(digests(server).digests) == {"MtaStageRcpt"}

    server.account["permissions"] = ["authenticate"]
    with pytest.raises(TargetForbidden):
        digests(server)


@pytest.mark.parametrize("error", ["unknownMethod", "forbidden", "serverFail"])
def test_kinds_that_a_release_does_not_serve_are_left_out(error: str) -> None:
    """The others are read."""
    server = server_with_settings()
    everything = digests(server).digests
    server.error["x:MtaStageRcpt/get"] = MethodError(error)

    assert digests(server).digests == {kind: one for kind, one in everything.items() if kind != "MtaStageRcpt"}
