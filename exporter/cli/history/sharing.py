"""Options that several commands share: declared once, as the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints


def with_options(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command an option for each field of the dataclass *kind*, in place of its parameter ``given``.

    Fields are annotated as Typer expects it of parameters. The command, whose parameters are keyword-only, gets an
    instance of *kind* as ``given``.
    """
    hints = get_type_hints(kind, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(kind)
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            parameters += shared if own.name == "given" else [own]

        @wraps(command)
        def run(**options: Any) -> None:
            given = kind(**{field.name: options.pop(field.name) for field in fields(kind)})
            command(given=given, **options)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate
