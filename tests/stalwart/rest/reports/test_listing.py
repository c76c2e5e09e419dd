"""Reports of the REST generation, read: whatever comes, it is a report in our terms or a reason why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.incoming_reports import IncomingReport
from exporter.model.report_words import (
    AuthFailure,
    AuthResult,
    DiscoveryMethod,
    Disposition,
    FeedbackType,
    IdentityAlignment,
    OverrideReason,
    ReportKind,
    SpfScope,
    TlsPolicyType,
    TlsResultType,
)
from exporter.model.reports import ArfReport, DmarcReport, TlsReport
from exporter.stalwart.rest.reports.listing import parse_report, parse_report_ids, received_at
from exporter.store.reports.rows import ReportRows, identity_of
from tests.support.reports import wire

NOW = wire.at("2026-11-22T12:00:00")
ID = wire.report_id(wire.at("2026-11-21T06:00:00"), 7)
DMARC, TLS, ARF = ReportKind.DMARC, ReportKind.TLS, ReportKind.ARF


def read_or_reason(kind: ReportKind, body: bytes) -> IncomingReport | str:
    """The report that *body* holds, or why it holds none."""
    try:
        return parse_report(kind, ID, body, now=NOW)
    except PayloadError as error:
        return str(error)


def parsed(kind: ReportKind, report: object) -> IncomingReport:
    """A report as the server would send it, read."""
    return parse_report(kind, ID, wire.body(report), now=NOW)


def dmarc_of(report: object) -> DmarcReport:
    """The same, known to be DMARC."""
    content = parsed(DMARC, report).content
    assert isinstance(content, DmarcReport)
    return content


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (-1, "Expected `int` >= 0"),
        (2**53 + 1, "Expected `int` <= 9007199254740992"),
        (10**30, "Expected `int` <= 9007199254740992"),
        (1e30, "Expected `int`, got `float`"),
        (1.5, "Expected `int`, got `float`"),
        ("12", "Expected `int`, got `str`"),
        (None, "Expected `int`, got `null`"),
        (True, "Expected `int`, got `bool`"),
    ],
)
def test_a_number_of_messages_that_nobody_counted_is_refused_by_its_path(number: object, problem: str):
    """The message names the record and what is wrong with its number."""
    records = [wire.record(1), wire.record(2), wire.record(number)]

    with pytest.raises(PayloadError) as caught:
        parsed(DMARC, wire.dmarc(records=records))

    assert str(caught.value) == f"data.report.record[2].row.count: {problem}"


def test_numbers_that_are_possible_only_one_by_one_are_refused():
    """Records of which each could be true and all together not are no report."""
    records = [wire.record(2**53), wire.record(1)]

    with pytest.raises(PayloadError, match="the sum of messages exceeds"):
        parsed(DMARC, wire.dmarc(records=records))


def test_not_a_number_is_refused():
    """NaN, which some writers of JSON put, is not JSON."""
    body = wire.body(wire.dmarc()).replace(b'"count":1', b'"count":NaN')

    with pytest.raises(PayloadError, match="malformed"):
        parse_report(DMARC, ID, body, now=NOW)


@pytest.mark.parametrize(
    ("kind", "report", "path"),
    [
        (TLS, wire.tls(policies=[wire.tls_policy(), wire.tls_policy(successes=-1)]), "data.report.policies[1].summary"),
        (
            TLS,
            wire.tls(policies=[wire.tls_policy(details=[("sts-policy-invalid", 1), ("dane-required", 10**30)])]),
            "data.report.policies[0].failure-details[1].failed-session-count",
        ),
        (TLS, wire.tls(policies=[wire.tls_policy(successes=2**53, failures=1)]), "data.report.policies"),
        (TLS, wire.tls(end="2026-11-20T23:59:59"), "data.report.date-range.end-datetime"),
        (TLS, wire.tls(end="0001-01-01T00:00:00+14:00"), "data.report.date-range.end-datetime"),
        (TLS, wire.tls(policies=[wire.tls_policy(domain="\x1b[31m")]), "data.report.policies[0].policy.policy-domain"),
        (ARF, wire.arf(incidents=-1), "data.report.incidents"),
        (ARF, wire.arf(arrival_date=10**15), "data.report.arrival_date"),
        (DMARC, wire.dmarc(end=-1), "data.report.report_metadata.date_range.end"),
        (DMARC, wire.dmarc(begin=253_402_300_800), "data.report.report_metadata.date_range.begin"),
        (DMARC, wire.dmarc(domain="192.0.2.1"), "data.report.policy_published.domain"),
        (DMARC, wire.dmarc(domain="a\u202eb.test"), "data.report.policy_published.domain"),
        (DMARC, wire.dmarc(domain="x" * 1_000_000), "data.report.policy_published.domain"),
        (DMARC, {"record": []}, "data.report"),
    ],
)
def test_what_cannot_be_true_is_refused_by_its_path(kind: ReportKind, report: object, path: str):
    """Every refusal says where."""
    with pytest.raises(PayloadError) as caught:
        parsed(kind, report)

    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("limit", [0, 2**53])
def test_the_largest_and_the_smallest_possible_number_are_taken(limit: int):
    """The bounds themselves are within."""
    assert dmarc_of(wire.dmarc(records=[wire.record(limit)])).messages() == (limit, 0)


def test_one_report_has_one_identity_however_it_is_spelled():
    """Domains compare without case, a final dot or a script; the server's id does not matter."""
    spellings = ["bücher.test", "BÜCHER.TEST.", "xn--bcher-kva.test", "XN--BCHER-KVA.Test", " bu\u0308cher.test "]

    identities = {identity_of(parsed(DMARC, wire.dmarc(domain=domain))) for domain in spellings}

    assert len(identities) == 1
    assert dmarc_of(wire.dmarc(domain=spellings[0])).domain == "xn--bcher-kva.test"


@pytest.mark.parametrize(
    "change",
    [
        {"reporter": "other.test"},
        {"id_": "r-2"},
        {"domain": "other.test"},
        {"begin": 1_795_132_801},
        {"end": 1_795_219_200},
    ],
)
def test_each_part_of_the_identity_tells_reports_apart(change: dict[str, Any]):
    """Two reporters may use one report id."""
    assert identity_of(parsed(DMARC, wire.dmarc())) != identity_of(parsed(DMARC, wire.dmarc(**change)))


def test_texts_that_differ_only_far_behind_are_different_reports():
    """A column holds only the beginning of a megabyte; the identity holds it all."""
    long = "x" * 1_000_000

    assert identity_of(parsed(DMARC, wire.dmarc(long + "a"))) != identity_of(parsed(DMARC, wire.dmarc(long + "b")))


def test_a_reporter_without_a_name_is_the_domain_of_its_address():
    """An empty organisation is not one reporter for all."""
    report = wire.dmarc(reporter="")
    report["report_metadata"]["email"] = "Reports <dmarc@Other.TEST>"

    assert dmarc_of(report).reporter == "other.test"


def test_what_rfc_9990_adds_and_drops_is_read_where_it_is_there():
    """`np`, the discovery method and the generator are new; `pct` is gone; unknown tags are no trouble."""
    new = wire.dmarc(
        np="Reject", discovery_method="treewalk", p="Quarantine", testing=True, tag_from_tomorrow={"a": [1]}
    )
    new["report_metadata"]["generator"] = "maker/2"
    old = wire.dmarc(pct=20, fo="1:d")

    policy, before = dmarc_of(new).policy, dmarc_of(old).policy

    assert (policy.nonexistent_policy, policy.discovery_method) == (Disposition.REJECT, DiscoveryMethod.TREEWALK)
    assert (policy.policy, policy.testing, policy.percent) == (Disposition.QUARANTINE, True, None)
    assert dmarc_of(new).generator == "maker/2"
    assert (before.percent, before.nonexistent_policy, before.failure_options) == (20, Disposition.UNSPECIFIED, "1:d")


def test_results_and_reasons_come_in_the_spelling_of_their_rfc():
    """The server's CamelCase becomes the words of the standards."""
    row = wire.record(3, dkim="Fail", spf="Pass", disposition="Quarantine", source="2001:DB8:0::1")
    row["row"]["policy_evaluated"]["reason"] = [
        {"type_": "TrustedForwarder", "comment": "x"},
        {"type_": "PolicyTestMode"},
    ]
    row["auth_results"]["dkim"][0]["result"] = "PermError"
    row["auth_results"]["spf"][0] = {"domain": None, "scope": "MailFrom", "result": "SoftFail", "human_result": None}

    read = dmarc_of(wire.dmarc(records=[row])).records[0]
    results = read.results

    assert read.source_ip == "2001:db8::1"
    assert [o.reason for o in results.overrides] == [OverrideReason.TRUSTED_FORWARDER, OverrideReason.POLICY_TEST_MODE]
    assert results.dkim_results[0].result is AuthResult.PERMERROR
    assert (results.spf_results[0].scope, results.spf_results[0].result) == (SpfScope.MFROM, AuthResult.SOFTFAIL)
    assert results.aligned


def test_words_of_tls_reports_come_in_the_spelling_of_rfc_8460():
    """Also where a server spells them in CamelCase, and with what is not among them counted."""
    details = [("startTlsNotSupported", 1), ("StsWebpkiInvalid", 2), ("Other", 3), ("quantum-broken", 4)]
    policies = [wire.tls_policy("noPolicyFound"), wire.tls_policy("Other"), wire.tls_policy(details=details)]

    report = parsed(TLS, wire.tls(policies=policies))

    assert isinstance(report.content, TlsReport)
    assert [p.type for p in report.content.policies] == [
        TlsPolicyType.NO_POLICY_FOUND,
        TlsPolicyType.OTHER,
        TlsPolicyType.STS,
    ]
    assert [d.result for d in report.content.policies[2].details] == [
        TlsResultType.STARTTLS_NOT_SUPPORTED,
        TlsResultType.STS_WEBPKI_INVALID,
        TlsResultType.OTHER,
        TlsResultType.UNKNOWN,
    ]
    assert report.unknown == {"tls_failure": 1}


@pytest.mark.parametrize(
    ("spelled", "word"),
    [
        ("Abuse", "abuse"),
        ("AuthFailure", "auth-failure"),
        ("authFailure", "auth-failure"),
        ("Fraud", "fraud"),
        ("NotSpam", "not-spam"),
        ("Virus", "virus"),
        ("Other", "other"),
        ("Miracle", "unknown"),
    ],
)
def test_every_kind_of_feedback_comes_in_the_spelling_of_its_rfc(spelled: str, word: str):
    """RFC 5965 and its successors hyphenate."""
    content = parsed(ARF, wire.arf(spelled)).content

    assert isinstance(content, ArfReport)
    assert content.feedback_type is FeedbackType(word)


def test_an_authentication_failure_report_is_read_whole():
    """RFC 6591 adds what failed, and which identities were aligned."""
    fields = {
        "auth_failure": "BodyHash",
        "identity_alignment": "DkimSpf",
        "delivery_result": "Spam",
        "dkim_domain": "Example.TEST",
        "reporting_mta": "dns; MX.Reporter.Test",
        "incidents": None,
        "source_port": 70_000,
    }

    content = parsed(ARF, wire.arf("AuthFailure", **fields)).content

    assert isinstance(content, ArfReport)
    assert (content.auth_failure, content.identity_alignment) == (AuthFailure.BODYHASH, IdentityAlignment.DKIM_SPF)
    assert (content.reporter, content.dkim_domain) == ("mx.reporter.test", "example.test")
    assert (content.incidents, content.source_port) == (1, 0)


def test_the_id_tells_when_a_report_was_received_unless_it_cannot_be_true():
    """An id without a time within the last year says nothing."""
    assert received_at(ID, now=NOW) == datetime(2026, 11, 21, 6, tzinfo=UTC)
    for odd in ("1_2", "jll13wiaaaab", f"{2**80}_1", wire.report_id(wire.at("2027-01-01T00:00:00"))):
        assert received_at(odd, now=NOW) == NOW


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"data":{"items":["../../store/purge"]}}', r"data.items\[0\]: not a report id"),
        (b'{"data":{"items":["a b"]}}', "not a report id"),
        (b'{"data":{"items":[1]}}', "Expected `str`, got `int`"),
        (b'{"data":{}}', "missing required field `items`"),
        (b'{"x":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(body: bytes, problem: str):
    """An id becomes part of a path: only what can be one passes."""
    with pytest.raises(PayloadError, match=problem):
        parse_report_ids(body, page=1, limit=1000)


def test_a_page_knows_whether_it_is_the_last():
    """By its length, and by the total where the list ends with a full page."""
    assert parse_report_ids(wire.listing(["a", "b", "c"], page=1, limit=2), page=1, limit=2).last is False
    assert parse_report_ids(wire.listing(["a", "b", "c"], page=2, limit=2), page=2, limit=2).last is True
    assert parse_report_ids(wire.listing(["a", "b"], page=1, limit=2), page=1, limit=2).last is True


REPORTS = {DMARC: wire.dmarc(), TLS: wire.tls(policies=[wire.tls_policy(details=[("x", 1)])]), ARF: wire.arf()}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\u202e", "\x1b[2J", "<script>", "Unspecified", "::1", "2026-13-01T00:00:00Z"])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every member of *value*, at any depth."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, inner in members:
        found += [(*path, key), *places(inner, (*path, key))]
    return found


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from([DMARC, TLS, ARF]), data=st.data())
def test_any_change_to_a_report_gives_a_report_or_a_reason(kind: ReportKind, data: st.DataObject):
    """Members replaced or removed at any depth never end in anything but the model or a `PayloadError`."""
    report = json.loads(json.dumps(REPORTS[kind]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(report) or [()]))
        if not path:
            break
        holder: Any = report
        for key in path[:-1]:
            holder = holder[key]
        if data.draw(st.booleans()):
            holder[path[-1]] = data.draw(values)
        else:
            del holder[path[-1]]

    read = read_or_reason(kind, wire.body(report))

    if isinstance(read, str):
        assert read.isprintable()
        return
    rows = ReportRows("mx1")
    rows.add(read, identity_of(read))
    made = [value for table in (*rows.tables.values(), *rows.records.tables.values()) for value in table]
    assert made
    assert {type(value) for value in made} <= {int, str, bytes, type(None)}


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from([DMARC, TLS, ARF]), data=st.data())
def test_any_damage_to_the_bytes_gives_a_report_or_a_reason(kind: ReportKind, data: st.DataObject):
    """Cut, with bytes changed, or with a piece doubled."""
    body = wire.body(REPORTS[kind])
    at = data.draw(st.integers(0, len(body) - 1))
    damaged = data.draw(
        st.sampled_from([body[:at], body[:at] + body[at // 2 :]])
        | st.binary(max_size=8).map(lambda piece: body[:at] + piece + body[at + len(piece) :])
    )

    read = read_or_reason(kind, damaged)

    assert read.isprintable() if isinstance(read, str) else read.raw == damaged
