"""
TLS reports, whose policies count once each.

Two reports of one organisation may share id and range and be about different domains: Stalwart itself sends such pairs.
So what is known of a report is which policies it had. A repetition with one policy more adds that one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from exporter.model.reports import TlsPolicy

PolicyKey = tuple[str, str]
"""See `TlsPolicy.key`."""

_KNOWN = """
    SELECT report.identity, p.domain, p.type, count(*)
    FROM report LEFT JOIN tls_policy AS p ON p.report = report.id
    WHERE report.server = ? AND report.kind = 'tls' AND report.identity IN ({marks})
    GROUP BY 1, 2, 3
"""


def known_policies_query(server: str, identities: Sequence[bytes]) -> tuple[str, Sequence[object]]:
    """
    How many policies are known, by identity of the report, domain and type.

    A report that is known and has no policy is a row with nulls.
    """
    return _KNOWN.format(marks=", ".join("?" * len(identities))), (server, *identities)


def unknown_policies(policies: Sequence[TlsPolicy], known: Counter[PolicyKey]) -> list[TlsPolicy]:
    """
    Those *policies* of one report that are not among the *known* ones, which then are.

    Two of one domain and type in one report are two: as many are left out as are known.
    """
    met: Counter[PolicyKey] = Counter()
    unknown = []
    for policy in policies:
        met[policy.key] += 1
        if met[policy.key] > known[policy.key]:
            unknown.append(policy)
    known |= met
    return unknown
