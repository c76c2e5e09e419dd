"""The type of settings that are lists of ports."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import PlainSerializer, PlainValidator

from exporter.model.outside import parse_port
from exporter.settings.types import Accepts, each, parse_list, show_list

MAX_PORTS = 20


def _port(text: str) -> str:
    return str(parse_port(text))


def _ports(value: object) -> tuple[str, ...]:
    entries = parse_list(value)
    plain = [str(entry) if type(entry) is int else entry for entry in entries]
    if len(plain) > MAX_PORTS:
        raise ValueError(f"more than {MAX_PORTS} entries")
    return each(_port)(plain)


Ports: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(_ports),
    PlainSerializer(list, return_type=list[str]),
    Accepts(
        "array of ports",
        "an array of ports, each with a protocol (smtp, smtps, imap, imaps, pop3, pop3s, sieve, https) if it is not "
        'the usual one, such as [25, "smtps:2465"]',
        show=show_list,
        bare=True,
    ),
]
