"""Whatever comes from outside gives a model or a typed error."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.decoders import Decoder, all_decoders
from tests.fuzz.mutate import spoilt

DECODERS = all_decoders()
INPUTS = 150
SEED = 1


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_spoilt_input_gives_a_model_or_a_typed_error(decoder: Decoder):
    """The same inputs in each run; `make fuzz` tries a million others."""
    tally = fuzz(decoder, range(INPUTS), SEED)

    assert tally.failures == []
    assert tally.inputs == INPUTS


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_what_is_spoilt_is_good_before(decoder: Decoder):
    """A decoder that refuses everything would pass any fuzzing."""
    accepted = 0
    for sample in decoder.samples():
        try:
            decoder.decode(sample)
        except decoder.errors:
            continue
        accepted += 1

    assert accepted > 0


def _ends_oddly(_: bytes) -> object:
    raise KeyError("forgotten")


def test_any_other_exception_is_a_failure_that_can_be_repeated():
    """It is told by the number of its input, on which alone the input depends."""
    tally = fuzz(Decoder("odd", _ends_oddly, lambda: [b"{}"]), range(3), SEED)

    assert [number for number, _ in tally.failures] == [0, 1, 2]
    assert tally.failures[0][1] == "KeyError: 'forgotten'"


def test_the_command_prints_seed_and_figures():
    """The last line says how many inputs there were and how many failed."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "200", "--seed", "7", "--only", "domain"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )

    first, *_, last = ran.stdout.splitlines()
    assert first == "seed 7, 200 inputs"
    assert last.startswith("200 inputs, 0 failures, ")


def test_the_same_number_is_spoilt_in_the_same_way():
    """Samples are not changed by being spoilt."""
    sample = b'{"data":{"items":[1,2,{"a":"b"}],"total":3}}'

    first, second = ([spoilt(sample, _chance(number)) for number in range(200)] for _ in range(2))

    assert second == first
    assert len(set(first)) > 100


def _chance(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311 - to be had again
