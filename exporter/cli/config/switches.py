"""Options of commands: numbers that must be finite, and the help of switches, which take no value."""

from __future__ import annotations

import math
from typing import Any

import typer

HELP_NAMES = ["-h", "--help"]


def finite(value: float) -> float:
    """Return an option's number; one that is not finite is refused."""
    if not math.isfinite(value):
        raise typer.BadParameter("must be a finite number")
    return value


def without_values(command: Any) -> Any:
    """Return *command*, whose switches and those of all commands below it are shown without a type."""
    help_option = command.get_help_option(typer.Context(command, help_option_names=HELP_NAMES))
    for option in (*command.params, help_option):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        without_values(inner)
    return command
