"""
The only requests that probes can make.

None of them changes the server, stores a message or sends mail. `PROBE_ACTION` creates no object: a server of v0.16
and newer runs these two actions, and returns their result, by the method that also pauses its queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.stalwart.http.endpoint import SMALL_RESPONSE_BYTES, EndpointSpec, EndpointTable, ResponseForm

ACTION_SET = "x:Action/set"
CLASSIFY, DMARC = "ClassifySpam", "TroubleshootDmarc"


class ProbeEndpoint(EndpointTable):
    """The requests of probes."""

    DELIVERY_PROBE = EndpointSpec(
        "GET",
        "/api/troubleshoot/delivery/{}",
        frozenset({"timeout"}),
        permission="troubleshoot",
        answer=ResponseForm.TEXT,
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    JMAP_DELIVERY_PROBE = EndpointSpec(
        "GET",
        "/api/live/delivery/{}",
        frozenset({"timeout"}),
        permission="liveDeliveryTest",
        answer=ResponseForm.TEXT,
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    SPAM_PROBE = EndpointSpec(
        "POST",
        "/api/spam-filter/classify",
        permission="spam-filter-test (spam-filter-train before v0.15)",
        has_body=True,
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    DMARC_PROBE = EndpointSpec(
        "POST",
        "/api/troubleshoot/dmarc",
        permission="troubleshoot",
        has_body=True,
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    PROBE_ACTION = EndpointSpec(
        "POST", "/jmap/", answer=ResponseForm.JSON, has_body=True, most_bytes=SMALL_RESPONSE_BYTES
    )

    def check_body(self, body: object) -> None:
        """Raise ``ValueError`` for a method call other than one of the two actions."""
        if self is ProbeEndpoint.PROBE_ACTION and not _is_probe(body):
            raise ValueError(f"{self.label}: not in the allow-list in this form")


PROBE_CALLS: frozenset[EndpointTable] = frozenset(ProbeEndpoint)
"""Everything that probes may send."""


def _is_probe(body: object) -> bool:
    calls = body.get("methodCalls") if isinstance(body, Mapping) and body.keys() == {"using", "methodCalls"} else None
    if not isinstance(calls, Sequence) or isinstance(calls, str) or len(calls) != 1 or len(calls[0]) != 3:
        return False
    method, arguments, _ = calls[0]
    if method != ACTION_SET or not isinstance(arguments, Mapping) or arguments.keys() != {"create"}:
        return False
    wanted = arguments["create"]
    return (
        isinstance(wanted, Mapping)
        and len(wanted) == 1
        and all(isinstance(one, Mapping) and one.get("@type") in (CLASSIFY, DMARC) for one in wanted.values())
    )
