"""A domain that is set up rightly, and the same one broken in one way each; the records to publish repair it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from exporter.checks.domains.run import OwnSettings
from exporter.model.posture import HOST_CHECKS, Check, CheckOutcome, CheckResult, zone_text
from tests.support.dns.server import DnsServer, dns_server, failing, rewriting, silent
from tests.support.dns.zones import Zones
from tests.support.rigs.domain_checks import DOMAIN, ED_KEY, HOST, RIGHT, RSA_KEY, check, checker_for

SELECTOR, RSA_SELECTOR = f"202611e._domainkey.{DOMAIN}.", f"202611r._domainkey.{DOMAIN}."
APEX, DMARC, TLS = f"{DOMAIN}.", f"_dmarc.{DOMAIN}.", f"_smtp._tls.{DOMAIN}."
OTHER = ("mx.elsewhere.test. IN A 198.51.100.7", f"alias.{DOMAIN}. IN CNAME {HOST}.")

Break = Callable[[Zones], None]


def replaced(*lines: str) -> Break:
    """Other records of the same name and type."""
    return lambda zones: zones.replace(*lines)


def added(*lines: str) -> Break:
    """Further records."""
    return lambda zones: zones.add(*lines)


def removed(name: str, kind: str) -> Break:
    """Fewer records."""
    return lambda zones: zones.remove(name, kind)


def text(name: str, content: str) -> Break:
    """Another text."""
    return replaced(f"{name} IN TXT {zone_text(content)}")


def including(count: int) -> Break:
    """An SPF record that includes *count* others."""

    def breaking(zones: Zones) -> None:
        includes = " ".join(f"include:s{number}.elsewhere.test" for number in range(count))
        zones.replace(f"{APEX} IN TXT {zone_text(f'v=spf1 mx {includes} -all')}")
        zones.add(
            *(f's{number}.elsewhere.test. IN TXT "v=spf1 ip4:198.51.100.{number} -all"' for number in range(count))
        )

    return breaking


BROKEN: Mapping[str, tuple[Check, Break]] = {
    "no MX": (Check.MX, removed(APEX, "MX")),
    "MX to a host without an address": (Check.MX, replaced(f"{APEX} IN MX 10 gone.{DOMAIN}.")),
    "MX to another server": (Check.MX, replaced(f"{APEX} IN MX 10 mx.elsewhere.test.")),
    "MX to another server first": (Check.MX, added(f"{APEX} IN MX 5 mx.elsewhere.test.")),
    "MX to an alias": (Check.MX, replaced(f"{APEX} IN MX 10 alias.{DOMAIN}.")),
    "MX to an address": (Check.MX, replaced(f"{APEX} IN MX 10 192.0.2.25.")),
    "null MX": (Check.MX, replaced(f"{APEX} IN MX 0 .")),
    "no SPF": (Check.SPF, text(APEX, "something else")),
    "two SPF records": (Check.SPF, added(f'{APEX} IN TXT "v=spf1 a -all"')),
    "SPF with an unknown mechanism": (Check.SPF, text(APEX, "v=spf1 mx ipv4:192.0.2.1 -all")),
    "SPF with an invalid macro": (Check.SPF, text(APEX, "v=spf1 mx exists:%{q}.example.org -all")),
    "SPF with a bad prefix": (Check.SPF, text(APEX, "v=spf1 mx ip4:192.0.2.0/33 -all")),
    "SPF of others only": (Check.SPF, text(APEX, "v=spf1 ip4:198.51.100.0/24 -all")),
    "SPF with our IPv4 address only": (Check.SPF, text(APEX, "v=spf1 ip4:192.0.2.25 -all")),
    "SPF for everybody": (Check.SPF, text(APEX, "v=spf1 +all")),
    "SPF with eleven queries": (Check.SPF, including(10)),
    "SPF with three empty queries": (Check.SPF, text(APEX, "v=spf1 mx a:x.test.test a:y.test.test a:z.test.test -all")),
    "SPF that includes itself": (Check.SPF, text(APEX, f"v=spf1 mx include:{DOMAIN} -all")),
    "SPF that includes nothing": (Check.SPF, text(APEX, "v=spf1 mx include:nothing.elsewhere.test -all")),
    "no DKIM key": (Check.DKIM, removed(SELECTOR, "TXT")),
    "another DKIM key": (Check.DKIM, text(SELECTOR, f"v=DKIM1; k=ed25519; p={ED_KEY[::-1][1:]}A")),
    "a revoked DKIM key": (Check.DKIM, text(SELECTOR, "v=DKIM1; k=ed25519; p=")),
    "half a DKIM key": (Check.DKIM, text(RSA_SELECTOR, f"v=DKIM1; k=rsa; p={RSA_KEY[:200]}")),
    "a quoted DKIM key": (Check.DKIM, text(RSA_SELECTOR, f'v=DKIM1; k=rsa; p={RSA_KEY[:200]}" "{RSA_KEY[200:]}')),
    "the wrong kind of DKIM key": (Check.DKIM, text(SELECTOR, f"v=DKIM1; k=rsa; p={ED_KEY}")),
    "DKIM for SHA-1 only": (Check.DKIM, text(SELECTOR, f"v=DKIM1; k=ed25519; h=sha1; p={ED_KEY}")),
    "a DKIM key that is tested": (Check.DKIM, text(SELECTOR, f"v=DKIM1; k=ed25519; t=y; p={ED_KEY}")),
    "two DKIM keys of one selector": (Check.DKIM, added(f'{SELECTOR} IN TXT "v=DKIM1; k=ed25519; p="')),
    "no DMARC": (Check.DMARC, removed(DMARC, "TXT")),
    "two DMARC records": (Check.DMARC, added(f'{DMARC} IN TXT "v=DMARC1; p=none"')),
    "DMARC without a policy": (Check.DMARC, text(DMARC, f"v=DMARC1; rua=mailto:dmarc@{DOMAIN}")),
    "DMARC with an unknown policy": (Check.DMARC, text(DMARC, f"v=DMARC1; p=block; rua=mailto:dmarc@{DOMAIN}")),
    "DMARC with commas": (Check.DMARC, text(DMARC, f"v=DMARC1, p=reject, rua=mailto:dmarc@{DOMAIN}")),
    "DMARC without a mailto": (Check.DMARC, text(DMARC, f"v=DMARC1; p=reject; rua=dmarc@{DOMAIN}")),
    "DMARC reports to nobody": (Check.DMARC_REPORTS, text(DMARC, "v=DMARC1; p=reject")),
    "DMARC reports elsewhere": (
        Check.DMARC_REPORTS,
        text(DMARC, "v=DMARC1; p=reject; rua=mailto:dmarc@elsewhere.test"),
    ),
    "DMARC reports to an address that is not analysed": (
        Check.DMARC_REPORTS,
        text(DMARC, f"v=DMARC1; p=reject; rua=mailto:alice@{DOMAIN}"),
    ),
    "DMARC reports also where they are not accepted": (
        Check.DMARC_REPORTS,
        text(DMARC, f"v=DMARC1; p=reject; rua=mailto:dmarc@{DOMAIN},mailto:dmarc@elsewhere.test"),
    ),
    "no TLS-RPT": (Check.TLS_RPT, removed(TLS, "TXT")),
    "two TLS-RPT records": (Check.TLS_RPT, added(f'{TLS} IN TXT "v=TLSRPTv1; rua=mailto:tls@{DOMAIN}"' + ' "x"')),
    "TLS-RPT without a mailto": (Check.TLS_RPT, text(TLS, f"v=TLSRPTv1; rua=tls@{DOMAIN}")),
    "TLS reports elsewhere": (Check.TLS_REPORTS, text(TLS, "v=TLSRPTv1; rua=mailto:tls@elsewhere.test")),
    "no service record": (Check.AUTOCONFIG, removed(f"_imaps._tcp.{DOMAIN}.", "SRV")),
    "a service at another port": (Check.AUTOCONFIG, replaced(f"_imaps._tcp.{DOMAIN}. IN SRV 0 1 143 {HOST}.")),
    "autoconfig elsewhere": (Check.AUTOCONFIG, replaced(f"autoconfig.{DOMAIN}. IN CNAME mx.elsewhere.test.")),
    "no reverse name": (Check.FCRDNS, removed("25.2.0.192.in-addr.arpa.", "PTR")),
    "a reverse name that leads elsewhere": (
        Check.FCRDNS,
        replaced("25.2.0.192.in-addr.arpa. IN PTR mx.elsewhere.test."),
    ),
    "a greeting that SPF forbids": (Check.HELO, text(f"{HOST}.", "v=spf1 -all")),
}


def results(outcomes: Mapping[Check, CheckOutcome]) -> dict[Check, CheckResult]:
    """The result of each check."""
    return {name: outcome.result for name, outcome in outcomes.items()}


def test_a_domain_that_is_set_up_rightly_is_good() -> None:
    """Every check of a right domain is good, and none has anything to publish."""
    with dns_server(*RIGHT, *OTHER) as server:
        outcomes = check(server)

    assert set(results(outcomes).values()) == {CheckResult.GOOD}
    assert len(outcomes) == len(Check) - len(HOST_CHECKS) - len({Check.MTA_STS, Check.DANE, Check.REPORTERS})
    assert not any(outcome.publish for outcome in outcomes.values())


@pytest.mark.parametrize("kind", BROKEN)
def test_each_broken_domain_is_bad_and_its_records_repair_it(kind: str) -> None:
    """The broken check alone is bad (others may follow from it), and what it says to publish makes all good."""
    name, breaking = BROKEN[kind]
    with dns_server(*RIGHT, *OTHER) as server:
        breaking(server.zones)
        outcomes = check(server)
        assert outcomes[name].result is CheckResult.BAD
        assert outcomes[name].seen
        repair(server, outcomes)
        repaired = check(server)

    assert set(results(repaired).values()) == {CheckResult.GOOD}
    unrelated = {Check.MX, Check.SPF, Check.DKIM, Check.AUTOCONFIG, Check.FCRDNS} - {name}
    if name is not Check.MX:
        assert {results(outcomes)[other] for other in unrelated} == {CheckResult.GOOD}


def repair(server: DnsServer, outcomes: Mapping[Check, CheckOutcome]) -> None:
    """Publishes what the outcomes say."""
    server.zones.replace(*dict.fromkeys(r.zone_line() for outcome in outcomes.values() for r in outcome.publish))


@pytest.mark.parametrize("kind", ["SERVFAIL", "REFUSED", "silence", "rewriting"])
def test_a_resolver_that_fails_or_rewrites_makes_everything_unknown(kind: str) -> None:
    """Nothing is bad, nor good, by what a resolver says that does not resolve."""
    mends = {"silence": silent, "rewriting": rewriting("198.51.100.99")}
    with dns_server(*RIGHT) as server:
        server.mend = mends.get(kind) or failing(kind)
        given = OwnSettings(host=HOST, addresses=("192.0.2.25",))
        outcomes = check(server, given=given, checker=checker_for(server, timeout_seconds=0.2))

    assert set(results(outcomes).values()) == {CheckResult.UNKNOWN}
    assert len(outcomes) >= len(Check) - len(HOST_CHECKS) - 4


def test_a_missing_resolver_makes_everything_unknown() -> None:
    """A port on which nothing listens, as after an unfinished installation."""
    outcomes = check(None, checker=checker_for(None, timeout_seconds=0.1))

    assert set(results(outcomes).values()) == {CheckResult.UNKNOWN}


def test_a_host_name_that_does_not_resolve_is_bad() -> None:
    """Neither mail reaches it nor its greeting is believed; its addresses are unknown, which is no result for SPF."""
    with dns_server(*(line for line in RIGHT if not line.startswith((f"{HOST}. IN A ", f"{HOST}. IN AAAA")))) as server:
        outcomes = check(server)

    assert outcomes[Check.HELO].result is outcomes[Check.MX].result is CheckResult.BAD
    assert outcomes[Check.SPF].result is CheckResult.UNKNOWN
