"""When a result changed: only from good to bad or back. Unknown moves nothing."""

from __future__ import annotations

from exporter.model.posture import CheckOutcome, CheckResult, CheckState
from exporter.store.posture.history import Change, Since


def advance(before: Since | None, outcome: CheckOutcome, at: int) -> tuple[CheckState, Change | None]:
    """Return the state after *outcome* at *at* (Unix seconds), and the change, if it is one or the first result."""
    known = None if before is None else before.known
    changed_at = None if before is None else before.changed_at
    change = None
    if outcome.result is not CheckResult.UNKNOWN and outcome.result is not known:
        known, changed_at = outcome.result, at
        seen = "; ".join(outcome.seen)
        change = Change(domain=outcome.domain, check=outcome.check, at=at, result=outcome.result, seen=seen)
    return CheckState(outcome=outcome, known=known, changed_at=changed_at, checked_at=at), change
