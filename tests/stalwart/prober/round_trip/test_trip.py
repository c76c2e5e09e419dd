"""Round trips through a submission listener and a mailbox at the socket, good and bad."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from exporter.clock import SystemClock
from exporter.errors import (
    PayloadError,
    TargetError,
    TargetRefused,
    TargetServerError,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
)
from exporter.model.outside import RoundTripProbe, TripResult, TripStage
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.prober.round_trip.lines import MOST_BYTES, Listener
from exporter.stalwart.prober.round_trip.message import HEADER, SUBJECT, token_in
from exporter.stalwart.prober.round_trip.trip import MOST_LEFT_OVER, RoundTrip, Route
from tests.support.certificates import Authority, client_context
from tests.support.servers.listening import server_context
from tests.support.servers.post_office import ADDRESS, HANG, PASSWORD, PostOffice, serving

OLD = date(2026, 1, 5)
R, S = TripResult, TripStage
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """The server's side and a client that trusts it."""
    directory: Path = tmp_path_factory.mktemp("authority")
    authority = Authority(directory, "authority")
    return server_context(authority.issue("mx", "DNS:mx.example.test")), client_context(authority)


@pytest.fixture
def office(contexts: Contexts) -> Iterator[PostOffice]:
    """Both listeners."""
    with serving(PostOffice(contexts[0])) as made:
        yield made


def trip_of(office: PostOffice, tls: ssl.SSLContext, *, name: str = "mx.example.test", **seconds: float) -> RoundTrip:
    submission, imap = (
        Listener(host="127.0.0.1", port=port, implicit_tls=office.implicit_tls, tls_name=name, tls=tls)
        for port in (office.smtp_port, office.imap_port)
    )
    limits = {"arrival_seconds": 60.0, "step_seconds": 60.0, **seconds}
    route = Route(
        submission=submission,
        imap=imap,
        address=ADDRESS,
        username=ADDRESS,
        password=PASSWORD,
        mailbox="INBOX",
        **limits,
    )
    return RoundTrip(route, clock=SystemClock(), resolver=Resolver())


def travel(office: PostOffice, contexts: Contexts, **changes: float) -> tuple[RoundTripProbe, TargetError | None]:
    return asyncio.run(trip_of(office, contexts[1], **changes).run())


def stranger(subject: str = SUBJECT, header: str = "") -> bytes:
    return f"From: <a@partner.test>\r\nSubject: {subject}\r\n{header}\r\nhello\r\n".encode()


def probe_mail(number: int) -> bytes:
    return stranger(header=f"{HEADER}: {number:032x}\r\n")


@pytest.mark.parametrize("implicit_tls", [True, False])
def test_a_message_arrives_and_nothing_is_left_of_it(office: PostOffice, contexts: Contexts, implicit_tls: bool):
    """Over TLS from the first byte and over STARTTLS; other messages with the subject stay."""
    office.implicit_tls = implicit_tls
    theirs = [office.put(stranger()), office.put(stranger(f"Re: {SUBJECT}"))]

    probe, trouble = travel(office, contexts)

    assert (probe.stage, probe.result, trouble) == (S.DELETE, R.ARRIVED, None)
    assert list(probe.seconds) == [S.LOGIN, S.SUBMIT, S.VISIBLE, S.DELETE]
    assert min(probe.seconds.values()) >= 0
    assert sorted(office.box) == theirs
    assert not any(held.deleted for held in office.box.values())
    assert not [command for command in office.heard["imap"] if command.upper().startswith(("EXPUNGE", "CLOSE"))]


def test_the_message_is_one_that_nobody_answers(office: PostOffice, contexts: Contexts):
    """From and to the own address, with the token that it is found by, and marked as automatic."""
    office.capabilities = "IMAP4rev1 AUTH=PLAIN"

    travel(office, contexts)

    [held] = office.box.values()
    assert held.head("From") == held.head("To") == f"<{ADDRESS}>"
    assert held.head("Auto-Submitted") == "auto-generated"
    assert held.head("Message-ID") == f"<{held.head(HEADER)}@example.test>"
    assert len(held.head(HEADER)) == 32


@pytest.mark.parametrize(
    ("command", "answer", "stage", "result", "trouble"),
    [
        ("RCPT TO", b"550 5.7.1 <probe@example.test> no\r\n", S.SUBMIT, R.REJECTED, TargetServerError),
        ("MAIL FROM", b"451 4.3.2 later\r\n", S.SUBMIT, R.DEFERRED, TargetServerError),
        ("end of data", b"554-5.7.1 spam\r\n554 5.7.1 no\r\n", S.SUBMIT, R.REJECTED, TargetServerError),
        ("EHLO", b"250 mx.example.test\r\n", S.SUBMIT, R.FAILED, TargetServerError),
        ("EHLO", b"250-x\r\n" * 1000, S.SUBMIT, R.FAILED, PayloadError),
        ("DATA", b"hello\r\n", S.SUBMIT, R.FAILED, PayloadError),
        ("RCPT TO", b"250 " + b"x" * MOST_BYTES, S.SUBMIT, R.FAILED, PayloadError),
        ("greeting", b"\xff\x00" * MOST_BYTES, S.LOGIN, R.FAILED, PayloadError),
        ("SELECT", (b"* OK " + b"x" * 60_000 + b"\r\n") * 30, S.LOGIN, R.FAILED, PayloadError),
        ("SELECT", b"* 1 EXISTS\r\n" * 10_000, S.LOGIN, R.FAILED, PayloadError),
        ("SELECT", b"a3 NO [NONEXISTENT] probe@example.test\r\n", S.LOGIN, R.FAILED, TargetServerError),
        ("SELECT", b"* 1 EXISTS\r\na3 OK done\r\n", S.LOGIN, R.FAILED, PayloadError),
        ("AUTHENTICATE", b"a1 NO [UNAVAILABLE] directory\r\n", S.LOGIN, R.FAILED, TargetServerError),
        ("NOOP", b"* BYE restart\r\n", S.VISIBLE, R.FAILED, TargetUnreachable),
        ("UID FETCH", b"* 1 FETCH (UID 9 BODY[] {999999999}\r\n", S.VISIBLE, R.FAILED, PayloadError),
        ("UID FETCH", b"* 1 FETCH (UID 9 BODY[] {1}\r\nx" + b"{1}\r\nx" * 100, S.VISIBLE, R.FAILED, PayloadError),
        ("UID STORE", b"a6 NO [READ-ONLY] no\r\n", S.DELETE, R.LEFT, TargetServerError),
        ("UID EXPUNGE", b"a7 NO no\r\n", S.DELETE, R.LEFT, TargetServerError),
    ],
)
def test_what_goes_wrong_has_a_stage_and_a_result(
    office: PostOffice,
    contexts: Contexts,
    command: str,
    answer: bytes,
    stage: TripStage,
    result: TripResult,
    trouble: type[TargetError],
):
    """A refusal, or an answer that is wrong, endless or huge; no text of the server is repeated."""
    office.instead[command] = answer

    probe, error = travel(office, contexts)

    assert (probe.stage, probe.result) == (stage, result), error
    assert isinstance(error, trouble)
    assert stage not in probe.seconds
    assert "@" not in str(error)
    assert len(str(error)) < 200
    assert probe.arrived == (result is R.LEFT)


def test_a_message_that_never_arrives_is_missing(office: PostOffice, contexts: Contexts):
    """After the deadline from its acceptance; the submission has its time."""
    office.delivers = False
    office.put(stranger())

    probe, error = travel(office, contexts, arrival_seconds=0.3)

    assert (probe.stage, probe.result, probe.arrived) == (S.VISIBLE, R.MISSING, False)
    assert list(probe.seconds) == [S.LOGIN, S.SUBMIT]
    assert isinstance(error, TargetTimeout)
    assert "within 0.3 s" in str(error)


def test_a_mailbox_that_says_nothing_is_left_after_the_deadline(office: PostOffice, contexts: Contexts):
    """Before anything is submitted."""
    office.instead["greeting"] = HANG

    probe, error = travel(office, contexts, step_seconds=0.3)

    assert (probe.stage, probe.result, dict(probe.seconds)) == (S.LOGIN, R.FAILED, {})
    assert isinstance(error, TargetTimeout)
    assert office.heard["smtp"] == []


@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_refused_credentials_are_sent_once(office: PostOffice, contexts: Contexts, protocol: str):
    """Until an operator reloads: the server would ban the address."""
    if protocol == "smtp":
        office.instead["AUTH"] = b"535 5.7.8 no\r\n"
    else:
        office.password = "another"
    trip = trip_of(office, contexts[1])

    async def again() -> tuple[RoundTripProbe, int, int]:
        probe, error = await trip.run()
        assert isinstance(error, TargetRefused)
        tried = office.logins
        with pytest.raises(TargetRefused, match="reload"):
            await trip.run()
        assert office.logins == tried
        trip.allow_retry()
        await trip.run()
        return probe, tried, office.logins

    probe, tried, later = asyncio.run(again())

    assert probe.result is R.REFUSED
    assert probe.stage is (S.LOGIN if protocol == "imap" else S.SUBMIT)
    assert later == 2 * tried


@pytest.mark.parametrize("implicit_tls", [True, False])
def test_no_login_is_sent_to_another_name(office: PostOffice, contexts: Contexts, implicit_tls: bool):
    """The certificate must be that of the listener."""
    office.implicit_tls = implicit_tls

    probe, error = asyncio.run(trip_of(office, contexts[1], name="other.example.test").run())

    assert (probe.result, office.logins) == (R.FAILED, 0)
    assert isinstance(error, TargetTLSError)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("CAPABILITY", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK done\r\n"),
        ("STARTTLS", b"a2 OK begin\r\n* CAPABILITY IMAP4rev1 UIDPLUS\r\n"),
    ],
)
def test_without_tls_there_is_no_login(office: PostOffice, contexts: Contexts, command: str, answer: bytes):
    """STARTTLS that is not offered, or that comes with text in the clear."""
    office.implicit_tls = False
    office.instead[command] = answer

    probe, error = travel(office, contexts)

    assert (probe.stage, probe.result, office.logins) == (S.LOGIN, R.FAILED, 0)
    assert isinstance(error, TargetTLSError)


def test_without_uidplus_the_message_stays_and_that_is_said(office: PostOffice, contexts: Contexts):
    """EXPUNGE alone would also delete what others have marked."""
    office.capabilities = "IMAP4rev1 AUTH=PLAIN"

    probe, error = travel(office, contexts)

    assert (probe.stage, probe.result) == (S.DELETE, R.LEFT)
    assert "UIDPLUS" in str(error)
    assert [held.deleted for held in office.box.values()] == [False]


def test_old_messages_of_earlier_probes_are_deleted_a_few_at_a_time(office: PostOffice, contexts: Contexts):
    """Those of a probe, recognised by their header; not those of today, nor others with the subject."""
    theirs = {office.put(stranger(), OLD), office.put(stranger(header=f"{HEADER}: 123\r\n"), OLD)}
    recent = office.put(probe_mail(1))
    old = [office.put(probe_mail(number), OLD) for number in range(MOST_LEFT_OVER + 5)]

    probe, trouble = travel(office, contexts)
    after_one = set(office.box)
    travel(office, contexts)

    assert (probe.result, trouble) == (R.ARRIVED, None)
    assert after_one & set(old) == set(old[MOST_LEFT_OVER:])
    assert set(office.box) == theirs | {recent}


def test_trouble_with_old_messages_does_not_spoil_the_result(office: PostOffice, contexts: Contexts):
    """It shows as a failure of the collector alone."""
    office.instead["UID SEARCH"] = b"a8 NO no\r\n"

    probe, error = travel(office, contexts)

    assert probe.result is R.ARRIVED
    assert isinstance(error, TargetServerError)


@pytest.mark.parametrize(
    ("head", "token"),
    [
        (f"{HEADER}: {'ab' * 16}\r\n\r\n", "ab" * 16),
        (f"{HEADER.lower()}:\r\n {'ab' * 16}\r\n\r\n", "ab" * 16),
        (f"{HEADER}: {'ab' * 17}\r\n\r\n", ""),
        (f"Subject: {HEADER}: {'ab' * 16}\r\n\r\n", ""),
        ("", ""),
    ],
)
def test_a_probe_is_recognised_by_its_header_alone(head: str, token: str):
    """With the token as it was sent."""
    assert token_in(head.encode()) == token
