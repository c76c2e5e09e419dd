"""Reports of the REST generation, read: whatever comes, it is a report in our terms or a reason why not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exporter.errors import PayloadError
from exporter.model.report_words import (
    ReportKind,
    TlsPolicyType,
    TlsResultType,
)
from exporter.model.reports import TlsReport
from exporter.stalwart.rest.reports.listing import parse_report, parse_report_ids, received_at
from tests.support.reports import wire
from tests.support.reports.reading import ARF, DMARC, ID, NOW, TLS, dmarc_of, parsed


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
