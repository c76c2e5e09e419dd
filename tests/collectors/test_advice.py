"""What operators are told about a capability."""

from __future__ import annotations

import re
from itertools import product

import pytest

from exporter.collectors.advice import advice_for, lacking_for
from exporter.model.server import Capability, CapabilityStatus, Generation

OF_JMAP = re.compile(r"\bsys[A-Z]\w+|\blive(Metrics|Tracing)\b")
OF_REST = re.compile(r"\b(message-queue|outgoing-report|incoming-report|logs|metrics|tracing)-(list|get|view|live)\b")


@pytest.mark.parametrize(
    ("capability", "generation", "permission"),
    [
        (Capability.QUEUE, Generation.REST, "message-queue-list"),
        (Capability.QUEUE, Generation.JMAP, "sysQueuedMessageGet and sysQueuedMessageQuery"),
        (Capability.TRACES, Generation.REST, "tracing-list and tracing-get"),
        (Capability.LIVE_TRACES, Generation.JMAP, "liveTracing"),
        (Capability.REPORTS, Generation.JMAP, "one or more of sysDmarcExternalReportGet"),
    ],
)
def test_a_missing_permission_is_named_as_its_generation_calls_it(
    capability: Capability, generation: Generation, permission: str
):
    """So that it can be copied into the key's role."""
    assert permission in advice_for(capability, CapabilityStatus.FORBIDDEN, generation)


@pytest.mark.parametrize(("capability", "status"), [*product(Capability, CapabilityStatus)])
def test_each_generation_is_told_in_its_own_words_alone(capability: Capability, status: CapabilityStatus):
    """Nothing to do where it is available, one sentence elsewhere."""
    rest, jmap = (advice_for(capability, status, generation) for generation in (Generation.REST, Generation.JMAP))

    assert (rest == "") == (jmap == "") == (status is CapabilityStatus.AVAILABLE)
    assert not OF_JMAP.search(rest)
    assert not OF_REST.search(jmap)


def test_only_what_is_lacking_is_named_where_the_permissions_are_disclosed():
    """A permission that the key holds is not called missing."""
    held = frozenset({"authenticate", "sysQueuedMessageQuery"})

    lacking = lacking_for(Capability.QUEUE, Generation.JMAP, held)
    words = advice_for(Capability.QUEUE, CapabilityStatus.FORBIDDEN, Generation.JMAP, lacking=lacking)

    assert words == "The API key lacks sysQueuedMessageGet."
    assert lacking_for(Capability.QUEUE, Generation.JMAP, None) == []
