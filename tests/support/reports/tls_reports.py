"""TLS reports, and a server that lists them."""

from __future__ import annotations

from typing import Any

from tests.support.reports import wire
from tests.support.rigs.reports import Shown

ONE_ID = "1795132800_1234567890123456789"
SPAN = {"reporter": "peer.test", "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}
SESSIONS, FAILURES = "stalwart_tls_report_sessions_total", "stalwart_tls_report_failures_total"


def policy(domain: str, successes: int, kind: str = "no-policy-found", **more: Any) -> wire.Json:
    """One policy of a TLS report."""
    return wire.tls_policy(kind, domain=domain, successes=successes, **more)


def report(*policies: wire.Json, id_: str = ONE_ID, **span: str) -> wire.Json:
    """A TLS report of peer.test with these policies."""
    return wire.tls(id_, policies=policies, **{**SPAN, **span})


def sessions(shown: Shown) -> dict[tuple[str, str, str], float]:
    """Sessions by domain, policy and result."""
    return {
        (labels["domain"], labels["policy"], labels["result"]): value
        for (name, pairs), value in shown.items()
        if name == SESSIONS and (labels := dict(pairs))
    }


FIRST, SECOND = report(policy("one.test", 30)), report(policy("two.test", 40))
NO_POLICY = "no-policy-found"
BOTH = {("one.test", NO_POLICY, "success"): 30, ("two.test", NO_POLICY, "success"): 40}


def unnamed(successes: int, failures: int = 0, domain: Any = None, details: Any = ()) -> wire.Json:
    """A policy that does not name its domain."""
    made = policy("", successes, failures=failures, details=details)
    if domain is None:
        del made["policy"]["policy-domain"]
    else:
        made["policy"]["policy-domain"] = domain if domain != "null" else None
    return made
