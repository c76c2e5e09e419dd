"""`reports show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.reports.commands import answer, call


@pytest.mark.parametrize("kind", ["dmarc", "tls", "arf"])
def test_show_prints_a_report_whole(history: Path, kind: str):
    """The raw answer, the JSON and the table are about the same report."""
    id_ = str(answer(history, "list", "--kind", kind, "-n", "1")[0]["id"])

    whole = answer(history, "show", id_)
    raw = json.loads(call(history, "show", id_, "--raw").stdout)["data"]["report"]
    table = call(history, "show", id_)

    assert whole["kind"] == kind
    assert table.exit_code == 0
    if kind == "dmarc":
        assert whole["records"][0]["source_ip"] == raw["record"][0]["row"]["source_ip"]
        assert whole["records"][0]["auth_results"][1] == {
            "method": "spf",
            "domain": "example.test",
            "detail": "mfrom",
            "result": "pass",
            "human_result": "",
        }
        assert whole["policy"] == "none"
    elif kind == "tls":
        assert [detail["result"] for detail in whole["policies"][0]["details"]] == [
            "certificate-expired",
            "starttls-not-supported",
        ]
        assert "certificate-expired" in table.stdout
    else:
        assert (whole["feedback_type"], whole["auth_failure"]) == ("auth-failure", "spf")
        assert "auth-failure" in table.stdout


@pytest.mark.parametrize("id_", ["999999", "rejected-999999", "1e3", "9" * 30, "\x1b[31m"])
def test_show_says_when_there_is_no_such_report(history: Path, id_: str):
    """Status 3, and a line on standard error."""
    result = call(history, "show", id_)

    assert result.exit_code == 3
    assert "no re" in result.stderr
    assert "\x1b" not in result.stderr
