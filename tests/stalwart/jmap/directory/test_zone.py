"""The zone file in which a server lists what it wants published."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.posture import CHUNK_BYTES, Record
from exporter.stalwart.jmap.directory.zone import parse_zone
from tests.support.paths import RECORDINGS

ROWS = json.loads((RECORDINGS / "ops-0.16.18" / "domains.json").read_text())


def recorded(method: str) -> list[dict[str, Any]]:
    """The objects in every recorded response to *method*."""
    responses = [response for row in ROWS for response in row["body"].get("methodResponses", [])]
    return [one for response in responses if response[0] == method for one in response[1]["list"]]


def zone_of(domain: str) -> str:
    """A recorded zone file."""
    return next(
        str(one["dnsZoneFile"]) for one in recorded("x:Domain/get") if one["name"] == domain and "dnsZoneFile" in one
    )


def test_every_line_of_a_recorded_zone_is_a_record() -> None:
    """Also the key that takes several lines."""
    text = zone_of("example.test")

    records = parse_zone(text)

    assert len(records) == text.count(" IN ")
    assert {record.type for record in records} == {"TXT", "MX", "SRV", "CNAME"}
    assert Record(name="example.test", type="MX", content="10 mx.example.test.") in records
    assert Record(name="example.test", type="TXT", content="v=spf1 mx -all") in records


def test_keys_are_those_of_the_signatures() -> None:
    """The chunks of a long key are joined without anything between them."""
    records = {record.name: record.content for record in parse_zone(zone_of("example.test"))}
    signatures = [one for one in recorded("x:DkimSignature/get") if "publicKey" in one]

    assert len(signatures) == 2
    for one in signatures:
        text = records[f"{one['selector']}._domainkey.example.test"]
        assert text.endswith(f"; p={one['publicKey']}")


@given(st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=600))
def test_a_text_survives_the_zone_file(text: str) -> None:
    """What is written for a zone file reads as it was, in printable ASCII and chunks that fit."""
    line = Record(name="a.example.test", type="TXT", content=text).zone_line()

    assert line.isascii()
    assert line.isprintable()
    chunks = line.partition(" TXT ")[2].split('" "')
    assert len(chunks) == max(1, -(-len(text) // CHUNK_BYTES))
    [record] = parse_zone(line)
    assert record.content == text


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """What is no record is left out."""
    for record in parse_zone(text):
        assert record.zone_line().isprintable()
