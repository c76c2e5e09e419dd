"""Whether those report who should: receivers that accepted mail of a domain and send reports to whoever asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from exporter.model.posture import Check, CheckOutcome, CheckResult
from exporter.state.posture import Result
from exporter.store.posture.history import Key
from exporter.store.posture.reporters import Expected

DAY = 86_400
LOOK_BACK = 9 * DAY
SETTLED = 2 * DAY
"""Reports about a day arrive in the course of the next; mail of the last two days expects none yet."""

AT_LEAST = 10
"""Fewer messages may all have gone to one mailbox that forwards or filters."""


def reporter_outcomes(
    expected: Mapping[str, Sequence[Expected]], results: Mapping[Key, Result]
) -> Iterator[CheckOutcome]:
    """
    Yield the outcome for each domain from whose receivers reports are due.

    Only of domains whose published addresses lead to the server: for the others, `Check.DMARC_REPORTS` explains the
    silence.
    """
    for domain, receivers in expected.items():
        wiring = results.get((domain, Check.DMARC_REPORTS))
        if wiring is None or wiring.result is not CheckResult.GOOD:
            continue
        silent = [one for one in receivers if not one.heard]
        seen = [f"{one.reporter} accepted {one.delivered} messages and has not reported" for one in silent]
        seen += [f"{one.reporter} reports" for one in receivers if one.heard]
        result = CheckResult.BAD if silent else CheckResult.GOOD
        yield CheckOutcome(domain=domain, check=Check.REPORTERS, result=result, seen=tuple(seen))
