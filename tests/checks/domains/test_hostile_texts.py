"""Whatever DNS says, a check ends with an outcome whose texts are printable and bounded."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.checks.domains.mta_sts import PolicyError, parse_policy
from exporter.checks.domains.run import OwnSettings
from exporter.checks.domains.tags import TagError, parse_tags
from exporter.model.posture import SEEN_LENGTH, SEEN_MOST, Check, CheckResult, zone_text
from tests.support.dns.server import DnsServer
from tests.support.dns.zones import Zones
from tests.support.rigs.domain_checks import DOMAIN, HOST, RIGHT, check

STARTS = ("v=spf1 ", "v=DMARC1; p=none; rua=", "v=TLSRPTv1; rua=mailto:", "v=DKIM1; p=", "v=STSv1; id=", "")
NAMES = (DOMAIN, f"_dmarc.{DOMAIN}", f"_smtp._tls.{DOMAIN}", f"202611e._domainkey.{DOMAIN}", f"_mta-sts.{DOMAIN}")


@given(st.text(max_size=200))
def test_any_text_is_tags_or_an_error(text: str) -> None:
    """Also a policy; nothing else is raised."""
    for parse in (parse_tags, parse_policy):
        with contextlib.suppress(TagError, PolicyError):
            parse(text)


@settings(max_examples=15, deadline=None)
@given(st.integers())
def test_any_record_ends_in_an_outcome(seed: int) -> None:
    """Random bytes behind every beginning that a check looks for; nothing but a result comes of it."""
    rng = random.Random(seed)  # noqa: S311 - texts, not secrets
    lines = []
    for name in NAMES:
        text = rng.choice(STARTS) + rng.randbytes(rng.randrange(400)).decode("latin-1")
        lines.append(f"{name}. IN TXT {zone_text(text)}")
    with DnsServer(Zones(*RIGHT)) as server:
        server.zones.replace(*lines)
        outcomes = check(server, given=OwnSettings(host=HOST, addresses=("192.0.2.25",)))

    for outcome in outcomes.values():
        assert outcome.seen or outcome.result is CheckResult.GOOD
        assert len(outcome.seen) <= SEEN_MOST
        assert all(text.isprintable() and len(text) <= SEEN_LENGTH for text in outcome.seen)
        assert all(r.zone_line().isascii() and r.zone_line().isprintable() for r in (*outcome.publish, *outcome.remove))


@pytest.mark.parametrize("depth", [3, 40])
def test_records_that_include_each_other_end(depth: int) -> None:
    """A tree of includes that never ends costs at most a few more queries than the limit."""
    lines = [
        f'i{n}.test. IN TXT "v=spf1 include:i{(n + 1) % depth}.test include:i{(n + 2) % depth}.test -all"'
        for n in range(depth)
    ]
    with DnsServer(Zones(*RIGHT, *lines)) as server:
        server.zones.replace(f'{DOMAIN}. IN TXT "v=spf1 include:i0.test include:i1.test -all"')
        outcome = check(server)[Check.SPF]
        asked = [name for name, kind, _ in server.asked if name.startswith("i") and kind == "TXT"]

    assert outcome.result is CheckResult.BAD
    assert len(asked) <= 20


def test_a_thousand_mail_hosts_cost_a_few_queries() -> None:
    """Nobody makes the exporter ask for ever."""
    hosts = [f"{DOMAIN}. IN MX {n} h{n}.test." for n in range(60)]
    with DnsServer(Zones(*RIGHT)) as server:
        server.zones.replace(*hosts)
        outcome = check(server)[Check.MX]
        asked = len(server.asked)

    assert outcome.result is CheckResult.BAD
    assert asked < 150
