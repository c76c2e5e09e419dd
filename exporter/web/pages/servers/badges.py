"""States as badges: a colour and a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.web.interfaces import CollectorState, StreamStatus
from exporter.web.verdict.judge import Problem

Badge = tuple[str, str]
"""A kind for the style sheet, and the word in the badge."""


def state_badge(state: CollectorState) -> Badge:
    """Return the badge of a collector."""
    kinds = {CollectorState.OK: "good", CollectorState.FAILING: "bad", CollectorState.WAITING: "wait"}
    return kinds.get(state, "off"), state.value


def capability_badge(status: str) -> Badge:
    """Return the badge of a capability."""
    kinds = {"available": "good", "forbidden": "wait"}
    return kinds.get(status, "off"), status.replace("_", " ")


def stream_badge(stream: StreamStatus) -> Badge:
    """Return the badge of a live stream."""
    if stream.connected:
        return "good", "connected"
    return ("off", stream.off.replace("_", " ")) if stream.off else ("wait", "disconnected")


def problem_badge(problem: Problem) -> Badge:
    """Return the badge of a problem: what its alert would be."""
    return problem.kind, "urgent" if problem.kind == "bad" else "ticket" if problem.due else "watch"


BADGES: Mapping[str, Any] = {
    "state_badge": state_badge,
    "capability_badge": capability_badge,
    "stream_badge": stream_badge,
    "problem_badge": problem_badge,
}
"""For templates."""
