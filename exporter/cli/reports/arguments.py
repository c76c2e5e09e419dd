"""The filter options that the report commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

Server = Annotated[str | None, typer.Option(help="Only reports received by this server.")]
Domain = Annotated[str | None, typer.Option(help="Only reports about this domain, in Unicode or xn-- form.")]
Kind = Annotated[str | None, typer.Option(help="Only reports of this kind: dmarc, tls or arf.")]
Reporter = Annotated[str | None, typer.Option(help="Only reporters whose name contains this, ignoring case.")]
Since = Annotated[str | None, typer.Option(help="Only reports that end at or after this: 7d, 2026-11-21, or a time.")]
Until = Annotated[str | None, typer.Option(help="Only reports that end before this: 1d, 2026-11-21, or a time.")]
Result = Annotated[
    str | None,
    typer.Option(help="Only reports with this result: aligned, failed, success, failure, or a feedback type."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The filter options as given; ``None`` if missing."""

    server: Server = None
    domain: Domain = None
    kind: Kind = None
    reporter: Reporter = None
    since: Since = None
    until: Until = None
    result: Result = None
