"""The options that the commands of ``queue`` share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (TOML).")]
Server = Annotated[str | None, typer.Option(help="The server of this name; needed if several are configured.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Message ids, as `queue list` prints them.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A message id, as `queue list` prints it.")]
Sender = Annotated[str | None, typer.Option(help="Only messages from this envelope sender; <> for bounces.")]
Recipient = Annotated[str | None, typer.Option(help="Only this recipient; the whole address.")]
Domain = Annotated[str | None, typer.Option(help="Only recipients at this domain, in Unicode or xn-- form.")]
OlderThan = Annotated[str | None, typer.Option(help="Only messages that were accepted this long ago: 4h, 2d.")]
Attempts = Annotated[int | None, typer.Option(min=0, help="Only recipients with at least this many failed attempts.")]
Status = Annotated[
    str | None,
    typer.Option(help="Only this status: scheduled, temporary_failure, permanent_failure or delivered."),
]
Queue = Annotated[str | None, typer.Option(help="Only this virtual queue, such as remote.")]
Text = Annotated[str | None, typer.Option(help="Only if the last reply or error contains this text, ignoring case.")]
Everything = Annotated[bool, typer.Option("--all", help="The whole queue.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be changed.")]
NoAudit = Annotated[bool, typer.Option("--no-audit", help="Do not record the change in the history file.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The filter options as given; ``None`` if missing."""

    ids: Ids = None
    sender: Sender = None
    recipient: Recipient = None
    domain: Domain = None
    older_than: OlderThan = None
    attempts: Attempts = None
    status: Status = None
    queue: Queue = None
    text: Text = None

    @property
    def is_empty(self) -> bool:
        """Whether no filter is given."""
        return not self.ids and all(getattr(self, field.name) is None for field in fields(self) if field.name != "ids")
