"""DMARC reports of the REST generation."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model.report_words import (
    AuthResult,
    DiscoveryMethod,
    Disposition,
    OverrideReason,
    SpfScope,
)
from exporter.store.reports.rows import identity_of
from tests.support.reports import wire
from tests.support.reports.reading import DMARC, dmarc_of, parsed


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
