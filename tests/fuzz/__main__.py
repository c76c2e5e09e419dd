"""
Spoilt input for every decoder: ``python -m tests.fuzz [INPUTS] [--seed N] [--only NAME] [--at NUMBER]``.

Each input must give a model or the decoder's own error within the time limit; anything else is printed with what
repeats it, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.fuzz.decoders import Decoder, all_decoders
from tests.fuzz.mutate import spoilt

MAX_SECONDS = 5.0
"""Of processor time for one input of a few kilobytes."""

MAX_SHOWN = 5


class RanAway(Exception):
    """A decoder did not come to an end."""


@dataclass(slots=True)
class Tally:
    """
    How a decoder did.

    Attributes:
        models: Inputs that gave a model.
        errors: Inputs that gave one of its errors.
        failures: Number of each input that gave anything else, and what.
    """

    models: int = 0
    errors: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """All of them."""
        return self.models + self.errors + len(self.failures)


def shares(decoders: Sequence[Decoder], inputs: int) -> Iterator[tuple[Decoder, int]]:
    """How many of *inputs* each decoder gets, at least one."""
    whole = sum(decoder.share for decoder in decoders)
    for decoder in decoders:
        yield decoder, max(1, round(inputs * decoder.share / whole))


def fuzz(decoder: Decoder, numbers: range, seed: int) -> Tally:
    """Gives *decoder* the inputs of those *numbers*; each depends on its number and the seed alone."""
    tally, samples = Tally(), decoder.samples()
    signal.signal(signal.SIGVTALRM, _run_away)
    for number in numbers:
        rng = random.Random(f"{seed}/{decoder.name}/{number}")  # noqa: S311 - to be had again
        given = spoilt(rng.choice(samples), rng)
        signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
        try:
            decoder.decode(given)
            tally.models += 1
        except decoder.errors:
            tally.errors += 1
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            tally.failures.append((number, f"{type(error).__name__}: {error}"[:300]))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return tally


def _run_away(*_: object) -> None:
    raise RanAway(f"more than {MAX_SECONDS:g} s of processor time")


def main(arguments: Sequence[str]) -> int:
    """Prints a line a decoder, and whatever failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Spoilt input for every decoder.")
    parser.add_argument("inputs", nargs="?", type=int, default=1_000_000, help="of all decoders together")
    parser.add_argument("--seed", type=int, default=None, help="the same inputs again")
    parser.add_argument("--only", default="", help="one decoder")
    parser.add_argument("--at", type=int, default=None, help="one input of it, which is printed")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    decoders = [decoder for decoder in all_decoders() if given.only in ("", decoder.name)]
    print(f"seed {seed}, {given.inputs} inputs", flush=True)
    if given.at is not None:
        for decoder in decoders:
            _show(decoder, given.at, seed)
        return 0
    return 1 if _run(decoders, given.inputs, seed) else 0


def _show(decoder: Decoder, number: int, seed: int) -> None:
    rng = random.Random(f"{seed}/{decoder.name}/{number}")  # noqa: S311 - to be had again
    samples = decoder.samples()
    given = spoilt(rng.choice(samples), rng)
    print(given, flush=True)
    print(decoder.decode(given))


def _run(decoders: Sequence[Decoder], inputs: int, seed: int) -> int:
    """How many failures there were."""
    total = failures = 0
    began = time.monotonic()
    print(f"{'decoder':24} {'inputs':>9} {'models':>9} {'errors':>9} {'failures':>9}")
    for decoder, number in shares(decoders, inputs):
        tally = fuzz(decoder, range(number), seed)
        total += tally.inputs
        failures += len(tally.failures)
        print(
            f"{decoder.name:24} {tally.inputs:9} {tally.models:9} {tally.errors:9} {len(tally.failures):9}", flush=True
        )
        for at, what in tally.failures[:MAX_SHOWN]:
            print(f"  {what}\n  again: python -m tests.fuzz --seed {seed} --only {decoder.name} --at {at}", flush=True)
    print(f"{total} inputs, {failures} failures, {time.monotonic() - began:.0f} s")
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
