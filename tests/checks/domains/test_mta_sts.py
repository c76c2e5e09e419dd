"""MTA-STS: the record, the policy over HTTPS, and the mail hosts in it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from exporter.checks.domains.mta_sts import Policy, PolicyError, admits, parse_policy
from exporter.checks.hosts.access import HostAccess
from exporter.checks.hosts.policy_file import MOST_BYTES
from exporter.model.posture import Check, CheckOutcome, CheckResult, DomainWants, Record
from tests.support.certificates import Authority, Identity, client_context
from tests.support.dns.hosts import policy_host, policy_response
from tests.support.dns.server import dns_server
from tests.support.rigs.domain_checks import DOMAIN, HOST, RIGHT, WANTED, check, checker_for

POLICY = f"version: STSv1\r\nmode: enforce\r\nmx: {HOST}\r\nmx: *.backup.test\r\nmax_age: 604800\r\n"
RECORD = f'_mta-sts.{DOMAIN}. IN TXT "v=STSv1; id=20261130"'
ADDRESS = f"mta-sts.{DOMAIN}. IN A 127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the checks trust."""
    return Authority(tmp_path_factory.mktemp("authority"), "ca")


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    """The certificate of the policy host."""
    return authority.issue("sts", f"DNS:mta-sts.{DOMAIN}")


def outcome(
    port: int, tls: ssl.SSLContext, *lines: str, record: str = RECORD, wants: DomainWants | None = None
) -> CheckOutcome | None:
    """The check of a domain whose policy host listens on *port*."""
    access = HostAccess(tls, 5.0, https_port=port)
    wanted = wants or DomainWants(name=DOMAIN, records=WANTED)
    with dns_server(*RIGHT, *filter(None, (record,)), *(lines or (ADDRESS,))) as server:
        checker = checker_for(server, access=access)
        return check(server, wanted, checker=checker).get(Check.MTA_STS)


def test_a_right_policy_is_good(authority: Authority, identity: Identity) -> None:
    """It is asked of the policy host by its name, though its address comes from the configured resolver."""
    seen: list[bytes] = []
    with policy_host(identity, policy_response(POLICY), seen) as port:
        found = outcome(port, client_context(authority))

    assert found is not None
    assert found.result is CheckResult.GOOD
    assert seen[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")
    assert f"host: mta-sts.{DOMAIN}\r\n".encode() in seen[0].lower()


@pytest.mark.parametrize(
    "response",
    [
        policy_response(POLICY, "404 Not Found"),
        b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.test/\r\nContent-Length: 0\r\n\r\n",
        policy_response(POLICY.replace(HOST, "mx.elsewhere.test")),
        policy_response(POLICY.replace("enforce", "strict")),
        policy_response(POLICY.replace("max_age: 604800", "max_age: soon")),
        policy_response(POLICY.replace("604800", "60")),
        policy_response(POLICY.replace("version: STSv1\r\n", "")),
        policy_response("x" * (MOST_BYTES + 1)),
        b"not http\r\n\r\n",
    ],
    ids=["404", "redirect", "other hosts", "mode", "max_age", "short", "version", "long", "not http"],
)
def test_a_broken_policy_is_bad(response: bytes, authority: Authority, identity: Identity) -> None:
    """The outcome has a file to publish that names the mail hosts."""
    with policy_host(identity, response) as port:
        found = outcome(port, client_context(authority))

    assert found is not None
    assert found.result is CheckResult.BAD
    assert admits(parse_policy(found.files[0].content), HOST)


def test_the_file_to_publish_repairs_it(authority: Authority, identity: Identity) -> None:
    """What a broken policy's outcome says is a right policy."""
    with policy_host(identity, policy_response("")) as port:
        broken = outcome(port, client_context(authority))
    assert broken is not None
    with policy_host(identity, policy_response(broken.files[0].content)) as port:
        repaired = outcome(port, client_context(authority))

    assert repaired is not None
    assert repaired.result is CheckResult.GOOD


def test_a_certificate_of_another_name_or_authority_is_bad(authority: Authority, tmp_path: Path) -> None:
    """Senders refuse both."""
    stranger = Authority(tmp_path, "stranger").issue("sts", f"DNS:mta-sts.{DOMAIN}")
    for identity in (authority.issue("www", f"DNS:www.{DOMAIN}"), stranger):
        with policy_host(identity, policy_response(POLICY)) as port:
            found = outcome(port, client_context(authority))

        assert found is not None
        assert found.result is CheckResult.BAD
        assert "certificate" in found.seen[0]


def test_a_policy_host_without_an_address_is_bad(authority: Authority) -> None:
    """The record promises a policy that nobody can fetch; the missing name is among what to publish."""
    found = outcome(1, client_context(authority), f"www.{DOMAIN}. IN A 127.0.0.1")

    assert found is not None
    assert found.result is CheckResult.BAD
    assert Record(name=f"mta-sts.{DOMAIN}", type="CNAME", content=f"{HOST}.") in found.publish


@pytest.mark.parametrize(
    ("record", "result"),
    [
        (f'_mta-sts.{DOMAIN}. IN TXT "v=STSv1; id=2026-11-30"', CheckResult.BAD),
        (f'_mta-sts.{DOMAIN}. IN TXT "v=STSv1"', CheckResult.BAD),
        ("", None),
    ],
)
def test_the_record_needs_an_id(
    record: str, result: CheckResult | None, authority: Authority, identity: Identity
) -> None:
    """Letters and digits; without a record, and if the server wants none, there is nothing to check."""
    with policy_host(identity, policy_response(POLICY)) as port:
        found = outcome(port, client_context(authority), record=record)

    assert (None if found is None else found.result) is result


def test_a_record_that_the_server_wants_is_missed() -> None:
    """A server that serves a policy wants its record published."""
    wanted = Record(name=f"_mta-sts.{DOMAIN}", type="TXT", content="v=STSv1; id=1")
    found = outcome(
        1, ssl.create_default_context(), record="", wants=DomainWants(name=DOMAIN, records=(*WANTED, wanted))
    )

    assert found is not None
    assert found.result is CheckResult.BAD
    assert found.publish == (wanted,)


def test_an_asterisk_stands_for_one_label() -> None:
    """As in certificates."""
    policy = Policy(mode="enforce", max_age_seconds=1, hosts=("*.example.test", "mx.other.test"))

    hosts = ("mx.example.test", "example.test", "a.mx.example.test", "mx.other.test", "x.other.test")
    assert [admits(policy, host) for host in hosts] == [True, False, False, True, False]


def test_a_policy_that_is_switched_off_needs_no_hosts() -> None:
    """``mode: none`` ends a policy."""
    assert parse_policy("version: STSv1\nmode: none\nmax_age: 86400\n").hosts == []
    with pytest.raises(PolicyError):
        parse_policy("version: STSv1\nmode: testing\nmax_age: 86400\n")


@pytest.mark.parametrize(("wanted", "result"), [(True, CheckResult.BAD), (False, CheckResult.GOOD)])
def test_a_policy_that_is_switched_off_is_bad_if_the_server_wants_it(
    wanted: bool, result: CheckResult, authority: Authority, identity: Identity
) -> None:
    """The mode ``none`` is how an operator ends MTA-STS."""
    record = Record(name=f"_mta-sts.{DOMAIN}", type="TXT", content="v=STSv1; id=1")
    wants = DomainWants(name=DOMAIN, records=(*WANTED, record) if wanted else WANTED)
    with policy_host(identity, policy_response(POLICY.replace("enforce", "none"))) as port:
        found = outcome(port, client_context(authority), wants=wants)

    assert found is not None
    assert found.result is result
