"""
TLS reports, whose policies each count once.

Two reports of one organisation may share id and date range and cover different domains: Stalwart itself sends such
pairs. A report is therefore known by its policies, and a repetition with an additional policy adds that policy.
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
    Return the query for the number of known policies by report identity, domain and type.

    A known report without policies is one row with nulls.
    """
    return _KNOWN.format(marks=", ".join("?" * len(identities))), (server, *identities)


def unknown_policies(policies: Sequence[TlsPolicy], known: Counter[PolicyKey]) -> list[TlsPolicy]:
    """
    Return the *policies* of one report that are not *known*, and add them to *known*.

    Two equal keys in one report are two policies: as many are skipped as are known.
    """
    met: Counter[PolicyKey] = Counter()
    unknown = []
    for policy in policies:
        met[policy.key] += 1
        if met[policy.key] > known[policy.key]:
            unknown.append(policy)
    known |= met
    return unknown
