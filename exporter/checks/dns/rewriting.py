"""Detection of a resolver that answers with addresses of its own for names that do not exist."""

from __future__ import annotations

import random
from collections.abc import Iterable

from exporter.checks.dns.resolver import DnsResolver

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALWAYS = ("invalid", "com")
WILDCARD_TOPS = frozenset({"fm", "mp", "ph", "st", "vg", "ws"})
"""Top-level domains that have answered, or may answer, for every name."""

MOST_TOPS = 4


async def rewrites(resolver: DnsResolver, domains: Iterable[str], rng: random.Random) -> bool:
    """Whether *resolver* has an address for a random name, directly below one of the top-level domains."""
    own = sorted({domain.rpartition(".")[2] for domain in domains} - WILDCARD_TOPS)
    for top in dict.fromkeys((*own[:MOST_TOPS], *ALWAYS)):
        label = "".join(rng.choices(LETTERS, k=20))
        if (await resolver.addresses_of_family(f"{label}.{top}", 4)).values:
            return True
    return False
