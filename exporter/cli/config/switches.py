"""The help of switches: they take no value, so none is shown."""

from __future__ import annotations

from typing import Any

import typer

HELP_NAMES = ["-h", "--help"]


def without_values(command: Any) -> Any:
    """Return *command*, whose switches and those of all commands below it are shown without a type."""
    help_option = command.get_help_option(typer.Context(command, help_option_names=HELP_NAMES))
    for option in (*command.params, help_option):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        without_values(inner)
    return command
