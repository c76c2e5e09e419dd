"""The manual page, from the same declarations as ``--help``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from exporter import __version__
from exporter.cli.config.switches import HELP_NAMES, without_values
from exporter.cli.main import app

FILES = (
    ("/etc/stalwart-exporter/config.toml", "The configuration, unless --config names another file."),
    ("/var/lib/stalwart-exporter/history.sqlite3", "The history, unless store.path names another file."),
)

ENVIRONMENT = """\
Every key of the configuration can be set by a variable: STALWART_EXPORTER_ and its path in capitals, with two
underscores for each dot, such as STALWART_EXPORTER_WEB__LISTEN. The keys of a single server follow the prefix directly:
STALWART_EXPORTER_URL, STALWART_EXPORTER_USERNAME, STALWART_EXPORTER_PASSWORD_FILE."""


def man_page() -> str:
    """Return the page in the format of ``man(7)``."""
    command = without_values(typer.main.get_command(app))
    lines = [
        f'.TH STALWART-EXPORTER 1 "" "stalwart-exporter {__version__}" "User Commands"',
        ".SH NAME",
        r"stalwart\-exporter \- monitoring daemon and Prometheus exporter for the Stalwart mail server",
        ".SH SYNOPSIS",
        ".B stalwart\\-exporter",
        "[options] [command] [options]",
        ".SH DESCRIPTION",
        *_paragraphs(f"{command.help} {_help_of(command.callback)}"),
        ".SH OPTIONS",
        *_options(command),
        ".SH COMMANDS",
        *_commands(command, ()),
        ".SH ENVIRONMENT",
        *_paragraphs(ENVIRONMENT),
        ".SH FILES",
    ]
    for path, words in FILES:
        lines += [".TP", rf".I {_escaped(path)}", _escaped(words)]
    return "\n".join(lines) + "\n"


def _help_of(function: Any) -> str:
    return inspect.cleandoc(function.__doc__ or "")


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield each command in the order of ``--help``; groups are followed by what is in them."""
    for name in command.list_commands(typer.Context(command, help_option_names=HELP_NAMES)):
        inner, words = command.commands[name], (*path, name)
        yield f".SS {_escaped(' '.join(words))}"
        yield from _paragraphs(inner.help or "")
        if getattr(inner, "commands", None):
            yield from _commands(inner, words)
        else:
            yield from _options(inner)


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        metavar = "" if getattr(parameter, "is_flag", False) else _metavar(parameter, command)
        names = ", ".join(sorted((*parameter.opts, *parameter.secondary_opts), key=len))
        if parameter.param_type_name == "argument":
            names, metavar = metavar, ""
        yield ".TP"
        yield rf".B {_escaped(names)}" + (rf" \fI{_escaped(metavar)}\fR" if metavar else "")
        yield from _paragraphs(getattr(parameter, "help", "") or "", between=".IP")


def _metavar(parameter: Any, command: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    if parameter.param_type_name == "argument":
        return str(parameter.display_name_raw)
    shown = str(parameter.display_type(typer.Context(command, help_option_names=HELP_NAMES)))
    return shown.strip("<>").upper() if "|" not in shown else shown.strip("<>")


def _paragraphs(text: str, between: str = ".PP") -> Iterator[str]:
    for number, paragraph in enumerate(part for part in re.split(r"\n\s*\n", inspect.cleandoc(text)) if part.strip()):
        if number:
            yield between
        yield _escaped(" ".join(paragraph.replace("`", "").split()))


def _escaped(text: str) -> str:
    """Return *text* as roff shows it literally, no line of it a request."""
    shown = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{shown}" if shown.startswith((".", "'")) else shown
