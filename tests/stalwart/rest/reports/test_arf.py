"""Feedback reports of the REST generation."""

from __future__ import annotations

import pytest

from exporter.model.report_words import (
    AuthFailure,
    FeedbackType,
    IdentityAlignment,
)
from exporter.model.reports import ArfReport
from tests.support.reports import wire
from tests.support.reports.reading import ARF, parsed


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
