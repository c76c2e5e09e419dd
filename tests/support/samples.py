"""The samples of a metrics page."""

from __future__ import annotations

import re

from tests.support.exporter import Series

_SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\\]|\\\\.)*)",?')


def read_samples(text: str) -> dict[Series, float]:
    """
    The samples of a metrics page, read in a hurry: a test reads many pages while it waits.

    Other tests hold the page to the official parsers.
    """
    found = {}
    for line in text.splitlines():
        sample = _SAMPLE.fullmatch(line)
        if sample is not None:
            found[sample[1], tuple(sorted(_LABEL.findall(sample[2] or "")))] = float(sample[3])
    return found
