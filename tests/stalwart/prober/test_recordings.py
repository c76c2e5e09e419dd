"""What the prober makes of recorded answers, and that it sends what was recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from exporter.errors import PayloadError, TargetForbidden, TargetServerError
from exporter.model.posture import DeliveryProbe, ProbeResult, ProbeStage, SpamProbe
from exporter.model.server import Generation
from exporter.stalwart.prober.calls import PROBE_CALLS, ProbeEndpoint
from exporter.stalwart.prober.client import Prober
from exporter.stalwart.prober.dmarc import Sample
from exporter.stalwart.prober.spam import GTUBE, Envelope
from exporter.stalwart.prober.stages import parse_delivery
from tests.support.paths import ROOT
from tests.support.replays.queue_control import Row
from tests.support.reports import wire
from tests.support.servers.raw import Asked, reply, talking

REST, JMAP = "ops-0.15.5", "ops-0.16.18"
GENERATIONS = {REST: Generation.REST, JMAP: Generation.JMAP}
NOW = wire.at("2026-11-30T12:00:00")
ENVELOPE = Envelope(sender="someone@partner.test", recipient="bob@example.test", address="192.0.2.30", helo="x.test")
SAMPLE = Sample(sender="someone@partner.test", address="192.0.2.30", helo="out.partner.test")
A, S = ProbeResult, ProbeStage

Ask = Callable[[Prober], Awaitable[Any]]


def rows(recording: str, part: str, *, who: str = "prober") -> list[Row]:
    """The recorded exchanges whose path or request contains *part*."""
    found = json.loads((ROOT / "tests" / "recordings" / recording / "probes.json").read_text())
    return [row for row in found if row["as"] == who and part in row["path"] + json.dumps(row.get("request"))]


def row_about(recording: str, target: str) -> Row:
    """The recorded diagnosis of *target*."""
    [row] = [
        row
        for row in rows(recording, "delivery/")
        if unquote(urlsplit(row["path"]).path).rpartition("/")[2] == target and row["status"] == 200
    ]
    return row


def told(recording: str, row: Row, ask: Ask) -> tuple[Any, Asked]:
    """The result of *ask* at a server that answers as recorded, and what it was asked."""
    asked: list[Asked] = []

    async def handle(request: Asked, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        body = row["body"].encode() if isinstance(row["body"], str) else row["body"]
        writer.write(reply(row["status"], body, content_type=row["headers"]["content-type"]))

    async def run() -> Any:
        async with talking(handle, allowed=PROBE_CALLS) as (transport, _):
            return await ask(Prober(transport, generation=lambda: GENERATIONS[recording]))

    result = asyncio.run(run())
    [request] = asked
    return result, request


def diagnose(recording: str, target: str) -> DeliveryProbe:
    """The diagnosis of *target*, asked for as recorded."""
    row = row_about(recording, target)
    result, request = told(recording, row, lambda prober: prober.diagnose(target, stage_seconds=3))
    assert unquote(request.path) == unquote(urlsplit(row["path"]).path)
    assert request.query == {"timeout": "3"}
    assert isinstance(result, DeliveryProbe)
    return result


@pytest.mark.parametrize(
    ("recording", "target", "result", "stage"),
    [
        (JMAP, "u@tls.test", A.ACCEPTED, S.RCPT_TO),
        (JMAP, "tls.test", A.ACCEPTED, S.EHLO),
        (JMAP, "u@dual.test", A.ACCEPTED, S.RCPT_TO),
        (JMAP, "u@tlsreject.test", A.REJECTED, S.RCPT_TO),
        (JMAP, "u@tlsdefer.test", A.DEFERRED, S.RCPT_TO),
        (JMAP, "u@selfsigned.test", A.FAILED, S.STARTTLS),
        (JMAP, "u@hang.test", A.FAILED, S.GREETING),
        (JMAP, "u@nowhere.test", A.FAILED, S.MX_LOOKUP),
        (REST, "u@tls.test", A.FAILED, S.STARTTLS),
        (REST, "u@ok.test", A.FAILED, S.STARTTLS),
        (REST, "u@refused.test", A.FAILED, S.CONNECTION),
        (REST, "u@busy.test", A.DEFERRED, S.EHLO),
        (REST, "u@nullmx.test", A.FAILED, S.MX_LOOKUP),
        (REST, "u@dual.test", A.FAILED, S.STARTTLS),
    ],
)
def test_a_diagnosis_ends_with_a_result_and_the_stage_that_decided(
    recording: str, target: str, result: ProbeResult, stage: ProbeStage
):
    """Both generations, as recorded: errors of look-ups do not end it, and the next host is tried."""
    probe = diagnose(recording, target)

    assert (probe.result, probe.stage, probe.domain) == (result, stage, target.rpartition("@")[2])


def test_each_stage_has_the_time_that_it_took():
    """In seconds, summed over hosts."""
    slow = diagnose(JMAP, "u@slow.test").seconds

    assert slow[S.RCPT_TO] == 2.006
    assert S.QUIT in slow
    assert diagnose(REST, "u@hang.test").seconds[S.GREETING] == 3.001


@pytest.mark.parametrize("recording", [REST, JMAP])
def test_every_recorded_diagnosis_can_be_read(recording: str):
    """None is unfinished."""
    found = [row for row in rows(recording, "delivery/") if row["status"] == 200]

    assert len(found) >= 20
    for row in found:
        is_address = "@" in row["path"]
        assert parse_delivery(row["body"].encode(), domain="x", is_address=is_address).result is not A.UNFINISHED


def test_a_stream_that_is_cut_off_is_unfinished():
    """Even after an error: the next host might have accepted."""
    body = row_about(JMAP, "u@tls.test")["body"].encode()
    refused = row_about(JMAP, "u@tlsreject.test")["body"].encode()

    assert parse_delivery(body[: len(body) // 2], domain="x", is_address=True).result is A.UNFINISHED
    assert parse_delivery(refused[: refused.rindex(b"event")], domain="x", is_address=True).result is A.UNFINISHED
    assert parse_delivery(b"", domain="x", is_address=True).result is A.UNFINISHED


@pytest.mark.parametrize(
    "data",
    ["[{}]", "{", '[{"type": 1}]', '[{"type":"ehloError","elapsed":-1}]', '[{"type":"ehloError","elapsed":1e300}]'],
)
def test_what_is_no_event_is_refused(data: str):
    """With an error that quotes nothing of it at length."""
    with pytest.raises(PayloadError):
        parse_delivery(f"event: event\ndata: {data}\n\n".encode(), domain="x", is_address=True)


@pytest.mark.parametrize("recording", [REST, JMAP])
def test_the_spam_filters_results_are_read(recording: str):
    """Score and result, as recorded; the message that should be spam contains the agreed text."""
    marks = {"spam-filter/classify": REST, "ClassifySpam": JMAP}
    part = next(part for part, of in marks.items() if of == recording)
    found = []
    for row in rows(recording, part):
        if row["status"] == 200 and "notCreated" not in json.dumps(row["body"]):
            probe, request = told(recording, row, lambda prober: prober.classify("spam", ENVELOPE, now=NOW))
            assert isinstance(probe, SpamProbe)
            found.append((probe.score, probe.result.value))
            sent = json.loads(request.body)
            members = sent if recording == REST else sent["methodCalls"][0][1]["create"]["k"]
            assert members.keys() - {"authenticatedAs"} == set(_members(row)) - {"authenticatedAs"}
            assert GTUBE in members["message"]

    assert sorted(found) == [(0.0, "discard"), (0.0, "ham"), (0.0, "reject"), (16.5, "spam")]


def _members(row: Row) -> dict[str, Any]:
    request: dict[str, Any] = row["request"]
    return request["methodCalls"][0][1]["create"]["k"] if "methodCalls" in request else request


@pytest.mark.parametrize("recording", [REST, JMAP])
def test_the_authentication_of_a_sample_is_read(recording: str):
    """SPF, reverse DNS and DMARC; without a message, DMARC rests on SPF."""
    part = "troubleshoot/dmarc" if recording == REST else "TroubleshootDmarc"
    answered = [row for row in rows(recording, part) if '"dmarcPass"' in json.dumps(row["body"])]
    row = next(row for row in answered if '"192.0.2.30"' in json.dumps(row["request"]))
    failed = next(row for row in answered if '"192.0.2.31"' in json.dumps(row["request"]))

    passed, request = told(recording, row, lambda prober: prober.authenticate(SAMPLE))

    assert passed == {"spf": "pass", "iprev": "pass", "dmarc": "pass"}
    if recording == REST:
        assert json.loads(request.body) == row["request"]
    refused, _ = told(recording, failed, lambda prober: prober.authenticate(SAMPLE))
    assert refused == {"spf": "fail", "iprev": "permerror", "dmarc": "fail"}


def test_a_missing_permission_is_told():
    """By its status up to v0.15, within the response from v0.16 on."""
    forbidden = rows(REST, "delivery/", who="watcher")[0]
    with pytest.raises(TargetForbidden, match="troubleshoot"):
        told(REST, forbidden, lambda prober: prober.diagnose("u@ok.test", stage_seconds=3))
    refused = rows(JMAP, "ClassifySpam", who="operator")[0]
    with pytest.raises(TargetForbidden, match="actionClassifySpam"):
        told(JMAP, refused, lambda prober: prober.classify("clean", ENVELOPE, now=NOW))
    invalid = next(row for row in rows(JMAP, "ClassifySpam") if "validationFailed" in json.dumps(row["body"]))
    with pytest.raises(TargetServerError, match="validationFailed"):
        told(JMAP, invalid, lambda prober: prober.classify("clean", ENVELOPE, now=NOW))


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"using": [], "methodCalls": []},
        {"using": [], "methodCalls": [["x:Action/set", {"create": {"k": {"@type": "PauseMtaQueue"}}}, "c"]]},
        {
            "using": [],
            "methodCalls": [["x:Action/set", {"create": {"k": {"@type": "ClassifySpam"}}, "destroy": ["a"]}, "c"]],
        },
        {"using": [], "methodCalls": [["x:QueuedMessage/set", {"create": {"k": {"@type": "ClassifySpam"}}}, "c"]]},
        {"using": [], "methodCalls": [["x:Action/set", {"create": {}}, "c"]] * 2},
    ],
)
def test_nothing_but_the_two_actions_can_be_sent(body: Any):
    """No other method, no other action, no second call."""
    with pytest.raises(ValueError, match="not in the allow-list"):
        ProbeEndpoint.PROBE_ACTION.check_body(body)
