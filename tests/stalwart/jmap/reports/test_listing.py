"""Received reports: the same in our terms as from earlier releases."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError, TargetServerError
from exporter.model.incoming_reports import IncomingReport, UnreadableReport
from exporter.model.report_words import (
    AuthFailure,
    AuthResult,
    DeliveryResult,
    DiscoveryMethod,
    Disposition,
    FeedbackType,
    IdentityAlignment,
    OverrideReason,
    ReportKind,
    SpfScope,
    TlsResultType,
)
from exporter.model.reports import ArfReport, DmarcReport, TlsReport
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.reports.listing import parse_report
from tests.support.replays.jmap import JmapServer, id_of
from tests.support.replays.jmap_client import asked, methods_of

OBJECTS = {
    ReportKind.DMARC: "DmarcExternalReport",
    ReportKind.TLS: "TlsExternalReport",
    ReportKind.ARF: "ArfExternalReport",
}
RECORDED = {kind: JmapServer.recorded().rows[name][0] for kind, name in OBJECTS.items()}


def changed(kind: ReportKind, **report: Any) -> bytes:
    """A recorded report with other members."""
    row = copy.deepcopy(RECORDED[kind])
    row["report"] |= report
    return json.dumps(row).encode()


def content_of(kind: ReportKind, **report: Any) -> Any:
    """What it says."""
    return parse_report(kind, "b", changed(kind, **report)).content


def dmarc_record(**members: Any) -> dict[str, Any]:
    """A record of a DMARC report."""
    return {"0": RECORDED[ReportKind.DMARC]["report"]["records"]["0"] | members}


@pytest.mark.parametrize("kind", ReportKind)
def test_a_report_is_kept_with_what_it_was_read_from(kind: ReportKind):
    """Byte for byte, with the moment in which the server received it."""
    raw = json.dumps(RECORDED[kind]).encode()

    report = parse_report(kind, RECORDED[kind]["id"], raw)

    assert (report.kind, report.raw, report.unknown) == (kind, raw, {})
    assert report.received_at.replace(second=0) == datetime(2026, 11, 22, 14, 40, tzinfo=UTC)


def test_the_words_of_dmarc_are_read_in_this_generations_spelling():
    """Each as the RFC spells it."""
    report: DmarcReport = content_of(
        ReportKind.DMARC,
        policyNp="reject",
        policyDiscoveryMethod="treewalk",
        policyTestingMode=True,
        policyFailureReportingOptions={"spfFailure": True, "any": True},
        errors={"late": True, "before that": True},
        generator="rua-maker 1",
        records=dmarc_record(
            policyOverrideReasons={"0": {"overrideType": "SampledOut", "comment": None}},
            spfResults={"0": {"domain": "Example.test", "scope": "mailFrom", "result": "softFail", "humanResult": "x"}},
            dkimResults={"0": {"domain": "example.test", "selector": None, "result": "permError", "humanResult": None}},
        ),
    )

    results = report.records[0].results
    assert report.policy.nonexistent_policy is Disposition.REJECT
    assert report.policy.discovery_method is DiscoveryMethod.TREEWALK
    assert (report.policy.testing, report.policy.failure_options) == (True, "1:s")
    assert (list(report.errors), report.generator) == (["before that", "late"], "rua-maker 1")
    assert results.overrides[0].reason is OverrideReason.SAMPLED_OUT
    assert results.spf_results[0] == ("example.test", SpfScope.MFROM, AuthResult.SOFTFAIL, "x")
    assert results.dkim_results[0].result is AuthResult.PERMERROR


@pytest.mark.parametrize(
    ("told", "result"),
    [
        ("startTlsNotSupported", TlsResultType.STARTTLS_NOT_SUPPORTED),
        ("certificateHostMismatch", TlsResultType.CERTIFICATE_HOST_MISMATCH),
        ("certificateExpired", TlsResultType.CERTIFICATE_EXPIRED),
        ("certificateNotTrusted", TlsResultType.CERTIFICATE_NOT_TRUSTED),
        ("validationFailure", TlsResultType.VALIDATION_FAILURE),
        ("tlsaInvalid", TlsResultType.TLSA_INVALID),
        ("dnssecInvalid", TlsResultType.DNSSEC_INVALID),
        ("daneRequired", TlsResultType.DANE_REQUIRED),
        ("stsPolicyFetchError", TlsResultType.STS_POLICY_FETCH_ERROR),
        ("stsPolicyInvalid", TlsResultType.STS_POLICY_INVALID),
        ("stsWebpkiInvalid", TlsResultType.STS_WEBPKI_INVALID),
        ("other", TlsResultType.OTHER),
    ],
)
def test_every_tls_failure_has_its_word(told: str, result: TlsResultType):
    """As in RFC 8460."""
    policies = copy.deepcopy(RECORDED[ReportKind.TLS]["report"]["policies"])
    policies["1"]["failureDetails"]["0"]["resultType"] = told

    report: TlsReport = content_of(ReportKind.TLS, policies=policies)

    assert report.policies[1].details[0].result is result


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("abuse", FeedbackType.ABUSE),
        ("authFailure", FeedbackType.AUTH_FAILURE),
        ("fraud", FeedbackType.FRAUD),
        ("notSpam", FeedbackType.NOT_SPAM),
        ("virus", FeedbackType.VIRUS),
        ("other", FeedbackType.OTHER),
    ],
)
def test_every_kind_of_feedback_has_its_word(told: str, kind: FeedbackType):
    """As in RFC 5965 and its successors."""
    report: ArfReport = content_of(
        ReportKind.ARF,
        feedbackType=told,
        authFailure="bodyHash",
        deliveryResult="policy",
        identityAlignment="dkimSpf",
        sourcePort=25,
        reportingMta="dns; MX.example.test",
    )

    assert report.feedback_type is kind
    assert report.auth_failure is AuthFailure.BODYHASH
    assert report.delivery_result is DeliveryResult.POLICY
    assert report.identity_alignment is IdentityAlignment.DKIM_SPF
    assert (report.source_port, report.reporter) == (25, "mx.example.test")


def test_words_that_nobody_knows_are_counted():
    """They read as unknown."""
    report = parse_report(
        ReportKind.DMARC, "b", changed(ReportKind.DMARC, records=dmarc_record(evaluatedDisposition="maybe"))
    )

    assert isinstance(report.content, DmarcReport)
    assert report.content.records[0].results.disposition is Disposition.UNKNOWN
    assert report.unknown == {"dmarc_disposition": 1}


def test_records_keep_their_order():
    """They are keyed by number."""
    records = {str(n): dmarc_record(count=n)["0"] for n in (10, 2, 0, 11, 1)}

    report: DmarcReport = content_of(ReportKind.DMARC, records=records)

    assert [record.messages for record in report.records] == [0, 1, 2, 10, 11]


@pytest.mark.parametrize(
    ("kind", "report"),
    [
        (ReportKind.DMARC, {"policyDomain": "not a domain"}),
        (ReportKind.DMARC, {"records": dmarc_record(count=-1)}),
        (ReportKind.DMARC, {"records": dmarc_record(count=2**60)}),
        (ReportKind.DMARC, {"records": []}),
        (ReportKind.DMARC, {"dateRangeBegin": "yesterday"}),
        (ReportKind.TLS, {"policies": None}),
        (ReportKind.TLS, {"reportId": None}),
        (ReportKind.ARF, {"feedbackType": 1}),
        (ReportKind.ARF, {"arrivalDate": "0001-01-01T00:00:00+14:00"}),
    ],
)
def test_what_cannot_be_read_is_set_aside_whole(kind: ReportKind, report: dict[str, Any]):
    """With its place and its bytes: asking again would change nothing."""
    server = JmapServer.recorded()
    row = json.loads(changed(kind, **report))
    server.rows[OBJECTS[kind]] = [row]

    (found,) = asked(server, lambda client: client.fetch_reports(kind, [row["id"]]))

    assert isinstance(found, UnreadableReport)
    assert json.loads(found.raw) == row
    assert found.reason
    assert found.received_at.year == 2026


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=5,
)


@given(kind=st.sampled_from(ReportKind), value=JSON, data=st.data())
def test_any_member_gives_a_report_or_a_payload_error(kind: ReportKind, value: Any, data: st.DataObject):
    """Nothing else comes out, whatever a stranger has written."""
    member = data.draw(st.sampled_from(sorted(RECORDED[kind]["report"])))

    try:
        report = parse_report(kind, "b", changed(kind, **{member: value}))
    except PayloadError:
        return

    assert isinstance(report, IncomingReport)


def test_a_report_that_is_gone_is_told_from_a_server_that_is():
    """The first is over with; the second is trouble."""
    server = JmapServer.recorded()

    assert not asked(server, lambda client: client.fetch_reports(ReportKind.TLS, ["bbbb"]))
    server.account = {**server.account, "permissions": ["sysBootstrapGet"]}
    with pytest.raises(TargetServerError, match="bootstrap"):
        asked(server, lambda client: client.fetch_reports(ReportKind.TLS, ["bbbb"]))


@pytest.mark.parametrize("there", [0, 1, 9, 10, 11, 25])
def test_ids_come_newest_first_page_by_page(there: int):
    """Each once; the last page says that it is the last."""
    server = JmapServer.recorded()
    server.rows["DmarcExternalReport"] = [{"id": id_of(5000 + number)} for number in range(there)]

    async def job(client: JmapClient) -> list[str]:
        ids: list[str] = []
        for page in range(1, 9):
            found = await client.fetch_report_ids(ReportKind.DMARC, page=page, limit=10)
            ids += found.ids
            if found.last:
                return ids
        raise AssertionError("no page was the last")

    assert asked(server, job) == [id_of(5000 + number) for number in reversed(range(there))]
    assert all(arguments["calculateTotal"] for _, arguments in methods_of(server, "DmarcExternalReport"))


def test_ids_that_are_none_are_a_payload_error():
    """They would be sent back, and stored."""
    server = JmapServer.recorded()
    server.query = lambda kind, arguments: {"ids": ["../x"]}  # type: ignore[method-assign]

    with pytest.raises(PayloadError, match=r"ids\[0\]"):
        asked(server, lambda client: client.fetch_report_ids(ReportKind.ARF, page=1, limit=10))
