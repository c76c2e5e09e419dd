"""A value that is never printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pydantic

from exporter.settings.files import SECRET_LIMIT_BYTES, read_bounded
from exporter.units import format_size

MASK = "***"
FILE_SUFFIX = "_file"


class Secret(pydantic.Secret[str]):
    """
    A password or token: ``get_secret_value()`` returns it, while ``repr``, ``str`` and JSON show ``***``.

    Two secrets are equal if their values are.
    """

    def __repr__(self) -> str:
        return MASK

    def _display(self) -> str:
        return MASK


def check_secret(secret: Secret) -> Secret:
    """Reject a value that no HTTP header can carry, without repeating it."""
    value = secret.get_secret_value()
    if not value:
        raise ValueError("is empty")
    if len(value.encode("utf-8", "surrogatepass")) > SECRET_LIMIT_BYTES:
        raise ValueError(f"is longer than {format_size(SECRET_LIMIT_BYTES)}")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise ValueError("contains a line break or another control character")
    return secret


def read_secret(path: Path) -> Secret:
    """
    Return the secret in a file, without a leading byte order mark and one trailing line break.

    Raises `ValueError`, whose message contains nothing of the file.
    """
    try:
        text = read_bounded(path, SECRET_LIMIT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
    value = text.removesuffix("\n").removesuffix("\r")
    if not value:
        raise ValueError("the file is empty")
    try:
        return check_secret(Secret(value))
    except ValueError as error:
        raise ValueError(f"the secret in the file {error}") from None


def with_secrets_read(
    given: Mapping[str, object], names: tuple[str, ...]
) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """
    Return *given* with each ``NAME_file`` read into ``NAME``, and the problems as (key, text).

    Keys of a wrong type, and files next to the value itself, are left for other rules to report.
    """
    filled = dict(given)
    problems: list[tuple[str, str]] = []
    for name in names:
        path = given.get(name + FILE_SUFFIX)
        if not isinstance(path, str | Path) or not str(path) or "\0" in str(path) or given.get(name) is not None:
            continue
        try:
            filled[name] = read_secret(Path(path))
        except ValueError as error:
            problems.append((name + FILE_SUFFIX, str(error)))
    return filled, problems
