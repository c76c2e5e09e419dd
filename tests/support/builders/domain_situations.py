"""Situations of a server whose domains are checked."""

from __future__ import annotations

from tests.support.builders.situation import one
from tests.support.builders.verdicts import enterprise, holding

GOOD = {("example.org", check): "good" for check in ("mx", "spf", "dkim", "dmarc", "dmarc_reports")}

DOMAINS = {
    "domains published as they should be": one(enterprise(checks=GOOD), "good", "All is well"),
    "a domain misconfigured for an hour": one(
        holding(enterprise(checks={**GOOD, ("example.org", "spf"): "bad", ("example.org", "dkim"): "bad"}), 3600),
        "wait",
        "mx1: example.org is not published as the server needs it: dkim, spf",
        "See what to publish",
    ),
    "a domain without autoconfig": one(
        enterprise(checks={**GOOD, ("example.org", "autoconfig"): "bad"}), "good", "All is well"
    ),
    "reports go elsewhere": one(
        holding(enterprise(checks={**GOOD, ("example.org", "dmarc_reports"): "bad"}), 3600),
        "wait",
        "mx1: reports about example.org do not reach the server: dmarc_reports",
        "See what to publish",
    ),
    "the resolver is silent": one(
        enterprise(checks=dict.fromkeys(GOOD, "unknown")),
        "wait",
        "mx1: 100% of the checks of domains have no result",
        "Check the exporter's resolver",
    ),
    "one check of many undecided": one(
        enterprise(checks={**GOOD, ("example.org", "mx"): "unknown"}), "good", "All is well"
    ),
}
