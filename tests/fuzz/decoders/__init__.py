"""Every decoder of what comes from outside, as something that takes bytes and gives a model or a typed error."""

from __future__ import annotations

from tests.fuzz.decoder import Decoder
from tests.fuzz.decoders import files, jmap, rest, streams, text, webhooks


def all_decoders() -> list[Decoder]:
    """Every one of them."""
    return [decoder for area in (rest, jmap, streams, text, files, webhooks) for decoder in area.decoders()]
