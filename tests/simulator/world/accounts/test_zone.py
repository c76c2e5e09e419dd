"""What the stand-in wants published is what real servers want."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from exporter.simulator.world.accounts.zone import PublicKey, rest_records, zone_file
from tests.support.paths import RECORDINGS

HOST = "mx.example.test"


def rows(server: str) -> list[dict[str, Any]]:
    """A recording."""
    recorded: list[dict[str, Any]] = json.loads((RECORDINGS / server / "domains.json").read_text())
    return recorded


def keys_in(texts: dict[str, str]) -> list[PublicKey]:
    """The keys among texts by name, in their order."""
    found = []
    for name, text in texts.items():
        match = re.fullmatch(r"v=DKIM1; k=(\w+); h=sha256; p=(.+)", text)
        if match is not None:
            found.append(PublicKey(name.partition("._domainkey.")[0], match[1], match[2]))
    return found


@pytest.mark.parametrize("domain", ["example.test", "two.test"])
def test_the_records_of_v015(domain: str) -> None:
    """All of them, in the server's order, with and without keys."""
    [recorded] = [
        row["body"]["data"]
        for row in rows("ops-0.15.5")
        if row["path"] == f"/api/dns/records/{domain}" and row["status"] == 200
    ]
    keys = keys_in({one["name"]: one["content"] for one in recorded})

    made = rest_records(domain, HOST, keys)

    assert [(one.kind, one.name, one.content) for one in made] == [
        (one["type"], one["name"], one["content"]) for one in recorded
    ]


@pytest.mark.parametrize("domain", ["example.test", "two.test"])
def test_the_zone_file_of_v016(domain: str) -> None:
    """Up to the order of the domain's first records, which depends on whether it has the server's host."""
    responses = [r for row in rows("ops-0.16.18") for r in row["body"].get("methodResponses", [])]
    listed = [one for r in responses if r[0] == "x:Domain/get" for one in r[1]["list"]]
    recorded = next(one["dnsZoneFile"] for one in listed if one["name"] == domain and "dnsZoneFile" in one)
    joined = re.sub(r'\(\n|"\n    "|\n\)', "", recorded).replace("     ", " ")
    texts = dict(re.findall(r'(\S+) IN TXT +"(.*)"', joined))

    made = zone_file(domain, HOST, keys_in(texts))

    assert sorted(made.splitlines()) == sorted(recorded.splitlines())
