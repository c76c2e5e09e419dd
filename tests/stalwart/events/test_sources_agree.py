"""The log and the traces tell of one attempt in two ways, and lead to the same outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.delivery import DeliveryEvent, DeliveryOutcome
from exporter.stalwart.rest.logs import parse_log_answer
from exporter.stalwart.rest.traces import parse_traces
from tests.support.builders.outcomes import outcomes_of
from tests.support.worlds.told_events import Attempt, Cause, Milliseconds, Told, log_page, log_row, trace_body

DOMAINS = st.sampled_from(["example.com", "Other.TEST", "mail.example.net"])
RECIPIENTS = st.builds("{}@{}".format, st.sampled_from(["a", "b.c", "d+e"]), DOMAINS)
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["Try again later", 'said "no"', "Rate limited", "Code: 250"]))
CODES = st.sampled_from([250, 421, 450, 451, 550, 552, 554])
TOOK = st.integers(0, 10**6).map(Milliseconds)
HOSTS = DOMAINS.map("mx.{}".format)
STAMP = st.sampled_from([None, "2026-01-15T10:57:00Z"])

SESSION_CAUSES = st.one_of(
    st.builds(
        lambda code, text: Cause(
            "smtp.error", [("details", "Unexpected SMTP Response"), ("code", code), ("reason", text)]
        ),
        CODES,
        TEXTS,
    ),
    st.builds(lambda text: Cause("smtp.error", [("details", "I/O Error"), ("reason", text)]), TEXTS),
    st.just(Cause("smtp.error", [("details", "Connection Timeout")])),
)
STATUS_CAUSES = st.one_of(
    st.builds(
        lambda code, text: Cause(
            "smtp.error",
            [("details", "Unexpected SMTP Response"), ("code", code), ("details", "DATA"), ("reason", text)],
        ),
        CODES,
        TEXTS,
    ),
    st.builds(
        lambda title, text: Cause("smtp.error", [("details", title), ("reason", text)]),
        st.sampled_from(["Connection Error", "TLS Error", "DNS Error", "DANE Error", "MTA-STS Error", "I/O Error"]),
        TEXTS,
    ),
    st.just(Cause("smtp.error", [("details", "Rate Limited")])),
)
STATUSES = st.one_of(
    st.builds("Unexpected response for DATA: Code: {}, Enhanced code: 4.0.0, Message: {}".format, CODES, TEXTS),
    st.builds("Connection failed: {}".format, TEXTS),
    st.builds("TLS error: Handshake failed: {}".format, TEXTS),
    st.just("Rate limited"),
)


def events(id_: str, **pairs: st.SearchStrategy[Any]) -> st.SearchStrategy[Told]:
    """An event with pairs in the server's order."""
    return st.tuples(*pairs.values()).map(lambda drawn: Told(id_, dict(zip(pairs, drawn, strict=True))))


FAILING = st.one_of(
    events("delivery.domain-delivery-start", domain=DOMAINS),
    events("delivery.rcpt-to-rejected", hostname=HOSTS, to=RECIPIENTS, code=CODES, details=TEXTS, elapsed=TOOK),
    events("delivery.rcpt-to-failed", hostname=HOSTS, to=RECIPIENTS, causedBy=SESSION_CAUSES, elapsed=TOOK),
    events("delivery.message-rejected", hostname=HOSTS, code=CODES, details=TEXTS, elapsed=TOOK),
    events("delivery.message-rejected", hostname=HOSTS, causedBy=STATUS_CAUSES, elapsed=TOOK),
    events("delivery.mail-from-rejected", hostname=HOSTS, causedBy=SESSION_CAUSES, elapsed=TOOK),
    events("delivery.auth-failed", hostname=HOSTS, causedBy=SESSION_CAUSES, elapsed=TOOK),
    events(
        "delivery.connect-error",
        domain=DOMAINS,
        hostname=HOSTS,
        localIp=st.sampled_from([None, "192.0.2.1"]),
        remoteIp=st.just("2001:db8::1"),
        remotePort=st.just(25),
        causedBy=SESSION_CAUSES,
        elapsed=TOOK,
    ),
    events(
        "delivery.greeting-failed",
        domain=DOMAINS,
        hostname=HOSTS,
        details=st.one_of(STATUS_CAUSES, STATUSES.map("Temporary Failure for mx: {}".format)),
    ),
    events(
        "delivery.ehlo-rejected",
        domain=DOMAINS,
        hostname=HOSTS,
        details=STATUSES.map("Temporary Failure for mx: {}".format),
        elapsed=TOOK,
    ),
    events("delivery.mx-lookup-failed", domain=DOMAINS, details=st.just("No MX records were found"), elapsed=TOOK),
    events(
        "delivery.mx-lookup-failed",
        domain=DOMAINS,
        causedBy=TEXTS.map(lambda text: Cause("mail-auth.dns-error", [("details", text)])),
        elapsed=TOOK,
    ),
    events("delivery.null-mx", domain=DOMAINS, elapsed=TOOK),
    events(
        "delivery.start-tls-unavailable",
        domain=DOMAINS,
        hostname=HOSTS,
        code=st.one_of(st.none(), CODES),
        details=TEXTS,
        elapsed=TOOK,
    ),
    events("delivery.start-tls-error", domain=DOMAINS, hostname=HOSTS, reason=SESSION_CAUSES, elapsed=TOOK),
    events("delivery.rate-limit-exceeded", id=st.just("rcpt"), domain=DOMAINS),
    events(
        "dane.tlsa-record-fetch-error",
        domain=DOMAINS,
        hostname=HOSTS,
        causedBy=TEXTS.map(lambda text: Cause("mail-auth.dns-error", [("details", text)])),
        strict=st.booleans(),
        elapsed=TOOK,
    ),
    events("mta-sts.policy-not-found", domain=DOMAINS, strict=st.booleans(), elapsed=TOOK),
    events(
        "mta-sts.not-authorized",
        domain=DOMAINS,
        hostname=HOSTS,
        details=st.just(["mx.example.com"]),
        strict=st.booleans(),
    ),
    events("delivery.delivered", hostname=HOSTS, to=RECIPIENTS, code=CODES, details=TEXTS, elapsed=TOOK),
)
DECIDING = st.one_of(
    events("delivery.dsn-success", to=RECIPIENTS, hostname=HOSTS, code=CODES, details=TEXTS),
    events("delivery.dsn-perm-fail", to=RECIPIENTS, hostname=HOSTS, details=STATUSES, total=st.just(0)),
    events("delivery.dsn-perm-fail", to=RECIPIENTS, hostname=HOSTS, code=CODES, details=TEXTS, total=st.just(0)),
    events("delivery.dsn-perm-fail", to=RECIPIENTS, details=STATUS_CAUSES, total=st.just(0)),
    events(
        "delivery.dsn-temp-fail",
        to=RECIPIENTS,
        hostname=HOSTS,
        details=STATUSES,
        nextRetry=STAMP,
        expires=STAMP,
        total=st.just(3),
    ),
    events("queue.rescheduled", nextRetry=STAMP, nextDsn=STAMP, expires=STAMP),
)
ATTEMPTS = st.builds(
    Attempt,
    queue_name=st.sampled_from([None, "remote", "local"]),
    sender=st.sampled_from(["<>", "alice@example.org"]),
    recipients=st.lists(RECIPIENTS, max_size=3),
)


def fold(told: Sequence[DeliveryEvent]) -> list[DeliveryOutcome]:
    return outcomes_of(told)


@given(ATTEMPTS, st.lists(FAILING | DECIDING, max_size=12))
def test_log_and_trace_of_one_attempt_have_equal_outcomes(attempt: Attempt, between: list[Told]):
    """Reason, code and domain do not depend on who tells."""
    told = [Told("delivery.attempt-start"), *between, Told("delivery.attempt-end", {"elapsed": Milliseconds(7)})]

    lines = parse_log_answer(log_page([log_row(attempt, event) for event in told])).lines
    (trace,) = parse_traces(trace_body(attempt, told), [1])

    from_log = [line.delivery for line in reversed(lines) if line.delivery is not None]
    assert fold(from_log) == fold(trace.events)
    assert [(e.event_id, e.code, e.recipient, e.domain) for e in from_log] == [
        (e.event_id, e.code, e.recipient, e.domain) for e in trace.events
    ]
    assert {(e.queue_id, e.queue_name, tuple(e.span_recipients), e.at) for e in (*from_log, *trace.events)} == {
        (
            attempt.queue_id,
            attempt.queue_name or "default",
            tuple(attempt.recipients),
            datetime(2026, 1, 15, 10, 30, 1, tzinfo=UTC),
        )
    }
