"""
The failure texts of a page of the queue, counted by class of error and reply code.

Contract: Stalwart v0.10-v0.15, the status texts of queued recipients; tests/recordings/rest-0.12.5/exchanges.json and
tests/recordings/rest-0.15.5/exchanges.json. What a single text means, `classify_failure` knows; this is its short cut
for thousands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from exporter.model.queue import FailureReason
from exporter.stalwart.events.failures import classify_failure

Failure = tuple[FailureReason, str]
"""The class of error, and a reply code of three digits or nothing."""

_CODES = frozenset(f"{number:03}" for number in range(1000))

# These stand over all texts of a page at once, "\0" before each and ":" after it. What is found of a text begins with
# the code if it is an ordinary reply, else it is the beginning of the error. Only sets of all characters but one are
# used: those the engine skips by far the fastest.
_FLAT = re.compile(
    "\0Error for [^:]*: (?:Unexpected response[^:]*(?::<[^:]*>)?: Code: (?=[0-9]{3}(?![0-9]))|(?![0-9]))([^:]*)"
)
_NESTED = re.compile(
    "\0(?:(?:Unexpected response from [^:]*: )?Code: (?=[0-9]{3}(?![0-9]))|(?![0-9]|Error|Temp|Perm))([^:]*)"
)


def count_flat_failures(texts: Sequence[str]) -> Counter[Failure]:
    """The failures of v0.13-v0.15. Their texts are ``Error for <entity>: <what>``."""
    return _count(texts, _FLAT)


def count_nested_failures(texts: Sequence[str]) -> Counter[Failure]:
    """The failures of v0.10-v0.12. There a recipient's text is the bare reply, a domain's names the error."""
    return _count(texts, _NESTED)


def _count(texts: Sequence[str], pattern: re.Pattern[str]) -> Counter[Failure]:
    # No two texts are equal, for they hold addresses, and a call for each would cost more than all the decoding.
    joined = "\0" + ":\0".join(texts) + ":"
    found = Counter(pattern.findall(joined))
    failures: Counter[Failure] = Counter()
    replies = 0
    for said, count in found.items():
        if (code := said[:3]) in _CODES:
            failures[FailureReason.UNEXPECTED_RESPONSE, code] += count
            replies += count
        else:
            failures[classify_failure(said)] += count
    every_text_once = found.total() == len(texts) and "\0" not in "".join(texts)
    if every_text_once and (replies == len(texts) or replies == joined.count("Code: ")):
        return failures
    return Counter(map(classify_failure, texts))
