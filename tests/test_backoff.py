"""The one retry rule, for every error that this package raises."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import errors
from exporter.backoff import CAP_SECONDS, FIRST_SECONDS, retry_delay
from exporter.errors import ExporterError, SettingsError, StoreError, TargetBusy, TargetError, TargetRefused


def every_class(root: type[ExporterError] = ExporterError) -> Iterator[type[ExporterError]]:
    """The classes of the tree that are declared in `exporter.errors`."""
    if root.__module__ == errors.__name__:
        yield root
    for derived in root.__subclasses__():
        yield from every_class(derived)


DOUBLING: list[BaseException] = [
    *(kind("trouble") for kind in every_class() if not issubclass(kind, TargetRefused | SettingsError)),
    SettingsError(["servers[0].tls.ca_file: gone"]),
    TargetBusy("no delay asked for", retry_after_seconds=0.0),
    asyncio.CancelledError(),
    KeyError("bug"),
]


def named(error: BaseException) -> str:
    return type(error).__name__


class Middle(random.Random):
    """Jitter that always takes the middle."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


Edge = Callable[[float, float], float]


class AtEdge(random.Random):
    """Jitter that always takes one edge."""

    def __init__(self, edge: Edge) -> None:
        super().__init__()
        self._edge = edge

    def uniform(self, low: float, high: float) -> float:
        return self._edge(low, high)


def test_the_tree_of_errors_is_covered():
    """An error class that is added later is among those of these tests."""
    kinds = set(every_class())

    assert {TargetError, TargetBusy, TargetRefused, StoreError, SettingsError, errors.PayloadTooLarge} <= kinds
    assert {type(error) for error in DOUBLING} >= kinds - {TargetRefused}


@pytest.mark.parametrize("error", DOUBLING, ids=named)
def test_what_may_heal_is_tried_at_doubling_delays_up_to_the_cap(error: BaseException):
    """Each failure in a row doubles the bound of the wait; half of it is jitter."""
    highest = [retry_delay(error, attempt, AtEdge(max)) for attempt in range(1, 12)]
    lowest = [retry_delay(error, attempt, AtEdge(min)) for attempt in range(1, 12)]

    assert highest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert lowest == [each / 2 for each in highest]


@pytest.mark.parametrize("error", DOUBLING, ids=named)
def test_a_collectors_cap_bounds_every_wait(error: BaseException):
    """One and a half intervals are never passed, and a cap below a second is one too."""
    assert retry_delay(error, 20, AtEdge(max), cap_seconds=45.0) == 45.0
    assert retry_delay(error, 1, AtEdge(max), cap_seconds=0.25) == 0.25
    assert retry_delay(error, 20, AtEdge(max), cap_seconds=10 * CAP_SECONDS) == CAP_SECONDS


@given(st.sampled_from(DOUBLING), st.integers(1, 10**9), st.floats(0.01, 3600), st.integers())
def test_a_wait_is_positive_and_bounded_for_any_number_of_failures(
    error: BaseException, attempt: int, cap: float, seed: int
):
    """A fault that lasts for weeks overflows nothing and is never retried without a pause."""
    delay = retry_delay(error, attempt, random.Random(seed), cap_seconds=cap)  # noqa: S311 - jitter

    assert min(cap, FIRST_SECONDS, CAP_SECONDS) / 2 <= delay <= min(cap, CAP_SECONDS)


@pytest.mark.parametrize("attempt", [1, 2, 10, 10**6])
def test_refused_credentials_wait_the_longest_whatever_the_interval(attempt: int):
    """Each try with them counts towards a ban."""
    refused = TargetRefused("401")

    assert retry_delay(refused, attempt, Middle(), cap_seconds=15.0) == CAP_SECONDS


@pytest.mark.parametrize(
    ("asked", "waited"), [(1.0, 1.0), (17.0, 17.0), (CAP_SECONDS, CAP_SECONDS), (999_999.0, CAP_SECONDS)]
)
@pytest.mark.parametrize("attempt", [1, 9])
def test_a_delay_that_the_server_asks_for_wins(asked: float, waited: float, attempt: int):
    """Whatever the attempt and the interval; but nobody makes us blind for a day."""
    busy = TargetBusy("429", retry_after_seconds=asked)

    assert retry_delay(busy, attempt, Middle(), cap_seconds=5.0) == waited
