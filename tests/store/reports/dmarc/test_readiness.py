"""Whether a domain is ready for a stricter policy: who is hurt, and how much data it takes to say so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.history.readiness import advise, explain
from exporter.store.reading import reading
from exporter.store.reports.dmarc.known_senders import known_sender
from exporter.store.reports.dmarc.loading import load_readiness, reported_domains
from exporter.store.reports.dmarc.readiness import Data, Readiness, SourceKind, Verdict, judge
from tests.support.reports import wire
from tests.support.reports.history import daily, now, seconds, take_in

ENOUGH = Data(
    domain="example.test",
    policy={"policy": "none", "percent": None, "testing": 0},
    days=14,
    reporters=2,
    silent_days=1,
    aligned=1000,
    failed=0,
    by_kind={},
    source_count=0,
    sources=(),
)


def with_failures(**kinds: int) -> Data:
    """Enough data, with failing messages by kind of source."""
    by_kind = {SourceKind(kind): messages for kind, messages in kinds.items()}
    return replace(ENOUGH, failed=sum(kinds.values()), by_kind=by_kind)


@pytest.mark.parametrize(
    ("data", "verdict", "ready_for"),
    [
        (ENOUGH, Verdict.READY, "reject"),
        (replace(ENOUGH, days=13), Verdict.THIN, ""),
        (replace(ENOUGH, reporters=1), Verdict.THIN, ""),
        (replace(ENOUGH, aligned=99), Verdict.THIN, ""),
        (replace(ENOUGH, silent_days=8), Verdict.THIN, ""),
        (with_failures(stranger=5000), Verdict.READY, "reject"),
        (with_failures(forwarder=5), Verdict.READY, "reject"),
        (with_failures(service=20), Verdict.READY, "quarantine"),
        (with_failures(ours=21), Verdict.NOT_READY, ""),
        (with_failures(regular=50), Verdict.NOT_READY, ""),
        (replace(with_failures(ours=50), reporters=1), Verdict.NOT_READY, ""),
        (replace(with_failures(ours=50), days=13), Verdict.THIN, ""),
        (replace(with_failures(service=20), policy={"policy": "quarantine"}), Verdict.NOT_READY, ""),
        (
            replace(with_failures(service=20), policy={"policy": "quarantine", "percent": 10}),
            Verdict.READY,
            "quarantine",
        ),
        (replace(with_failures(ours=500), policy={"policy": "reject"}), Verdict.DONE, ""),
        (replace(ENOUGH, policy={"policy": "reject", "testing": 1}), Verdict.READY, "reject"),
    ],
)
def test_a_domain_is_ready_if_enough_data_shows_that_little_is_hurt(data: Data, verdict: Verdict, ready_for: str):
    """Strangers do not count, thin data is never called ready, and one reporter is enough only to say no."""
    readiness = judge(data)

    assert (readiness.verdict, readiness.ready_for) == (verdict, ready_for)


def test_each_failing_source_is_told_by_what_it_is_to_the_domain(tmp_path: Path):
    """Own hosts by address or name, forwarders and services by name or result, strangers by staying away."""
    fail = {"dkim": "Fail", "spf": "Fail"}
    elsewhere = wire.record(1, source="192.0.2.20", **fail)
    elsewhere["auth_results"]["spf"][0].update(result="Pass", domain="sender.test")
    listed = wire.record(1, source="192.0.2.30", **fail)
    listed["row"]["policy_evaluated"]["reason"] = [{"type_": "MailingList", "comment": None}]
    sources = ["192.0.2.1", "192.0.2.2", "2001:db8::3", "192.0.2.40", "192.0.2.50", "192.0.2.60"]
    records = [wire.record(500, source="192.0.2.50"), *(wire.record(1, source=one, **fail) for one in sources)]
    visits = [("dmarc", wire.dmarc("once", records=[wire.record(900, source="198.51.100.9", **fail)], **day_of(3)))]
    path = tmp_path / "h.sqlite3"
    take_in(path, [*daily(14, [*records, elsewhere, listed]), *visits])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO own_address VALUES ('mx1', '192.0.2.1', 0)")
        names = [
            ("192.0.2.2", "good", "printer.example.test"),
            ("2001:db8::3", "good", "mail-ed1.google.com"),
            ("192.0.2.40", "good", "o1.ptr.sendgrid.net"),
            ("192.0.2.60", "bad", ""),
        ]
        connection.executemany("INSERT INTO source_name VALUES ('mx1', ?, ?, ?, NULL, '', 0)", names)

    readiness = read(path)

    assert {one.source: one.kind.value for one in readiness.sources} == {
        "192.0.2.1": "ours",
        "192.0.2.2": "ours",
        "2001:db8::3": "forwarder",
        "192.0.2.20": "service",
        "192.0.2.30": "forwarder",
        "192.0.2.40": "service",
        "192.0.2.50": "aligned",
        "192.0.2.60": "regular",
        "198.51.100.9": "stranger",
    }
    assert (readiness.days, readiness.reporters, readiness.failed, readiness.hurt) == (14, 3, 8 * 28 + 900, 8 * 28)
    assert (readiness.verdict, readiness.ready_for) == (Verdict.READY, "quarantine")
    assert readiness.sources[-1].source == "198.51.100.9"
    assert "900 of them from strangers" in advise(readiness).words
    assert len(explain(readiness)) == 6


def day_of(ago: int) -> dict[str, object]:
    """The span and the reporter of a report about a day."""
    return {"begin": seconds(ago), "end": seconds(ago - 1) - 1, "reporter": "third.test"}


def read(path: Path) -> Readiness:
    """The readiness of example.test."""
    with reading(path) as connection:
        assert reported_domains(connection, now=now(), most=5) == ["example.test"]
        found = load_readiness(connection, "example.test", now=now(), server="mx1", most=50)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mail-sor-f41.google.com", "Google"),
        ("google.com.evil.test", None),
        ("notgoogle.com", None),
        ("a1.smtp.amazonses.com", "Amazon SES"),
        ("com", None),
        ("", None),
    ],
)
def test_a_known_sender_is_known_by_the_end_of_its_host_names(host: str, name: str | None):
    """Label by label: a longer or a similar name is somebody else's."""
    sender = known_sender(host)

    assert (None if sender is None else sender.name) == name
