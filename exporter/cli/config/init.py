"""``stalwart-exporter init``: asks for a server, tries it, and writes the configuration."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import typer

from exporter.cli.config import result as settings_check
from exporter.cli.doctor.command import examine
from exporter.cli.doctor.finding import EXIT_TROUBLE
from exporter.cli.output import complain, console, plain
from exporter.settings import StoreSettings
from exporter.settings.addresses import host_of, parse_server_url

EXIT_UNUSABLE = 1
EXIT_SETTINGS = 2

CONFIG_NAME = "config.toml"

_TOKEN = re.compile(r"[!-9;-~]+")
_UNSAFE_IN_NAMES = re.compile(r"[^a-z0-9.-]")


@dataclass(frozen=True, slots=True)
class Answers:
    """
    What was asked.

    Attributes:
        username: Empty if the key is a token.
    """

    url: str
    username: str
    secret: str
    store: str

    @property
    def secret_name(self) -> str:
        """The name of the file with the secret."""
        return _UNSAFE_IN_NAMES.sub("-", host_of(self.url).lower()) + ".secret"

    def config(self, secret: Path) -> str:
        """Return the configuration; the secret is in the file *secret*."""
        login = (
            [f"username = {_quoted(self.username)}", f"password_file = {_quoted(str(secret))}"]
            if self.username
            else [f"token_file = {_quoted(str(secret))}"]
        )
        lines = ["[store]", f"path = {_quoted(self.store)}", "", "[[servers]]", f"url = {_quoted(self.url)}", *login]
        return "\n".join(lines) + "\n"


def set_up(to: Path, *, force: bool) -> int:
    """Ask, try, and write into the directory *to*; return the exit status."""
    if (to / CONFIG_NAME).exists() and not force:
        complain(f"{to / CONFIG_NAME} exists; use --force to replace it, or --to for another directory")
        return EXIT_SETTINGS
    try:
        answers = _ask()
    except ValueError as error:
        complain(str(error))
        return EXIT_SETTINGS
    if not _works(answers):
        return EXIT_UNUSABLE
    try:
        _write(answers, to)
    except OSError as error:
        complain(f"{error.filename or to}: {error.strerror}")
        return EXIT_UNUSABLE
    _tell_next(to)
    return 0


def _ask() -> Answers:
    """Ask the three questions; raise `ValueError` with words for an answer that cannot be used."""
    try:
        url = parse_server_url(typer.prompt("URL of the server, such as https://mail.example.org"))
    except ValueError as error:
        raise ValueError(f"URL: {error}; accepted: https://HOST or https://HOST:PORT") from None
    console.print("`stalwart-exporter key` prints a script that creates a key.", soft_wrap=True)
    key = typer.prompt("Key: NAME:SECRET up to v0.15, API_... from v0.16 on", hide_input=sys.stdin.isatty()).strip()
    name, colon, secret = key.partition(":")
    if not colon:
        name, secret = "", key
    if not secret or not (colon or _TOKEN.fullmatch(secret)) or (colon and not name):
        raise ValueError("key: neither NAME:SECRET nor a token")
    store = typer.prompt("File for the history", default=str(StoreSettings().path))
    return Answers(url, name, secret, str(Path(store).expanduser().absolute()))


def _works(answers: Answers) -> bool:
    """Try the answers as `run` and `doctor` do, and return whether they can be used; says why not."""
    with tempfile.TemporaryDirectory(prefix="stalwart-exporter-init-") as folder:
        config = _write(answers, Path(folder))
        found = settings_check.check(config, dict(os.environ))
        if found.settings is None:
            for line in found.problems:
                complain(line)
            return False
        status = examine(config, only=None, as_json=False, listen_seconds=0)
    if status == EXIT_TROUBLE:
        complain("nothing was written: the server could not be asked; see above")
    return status != EXIT_TROUBLE


def _write(answers: Answers, to: Path) -> Path:
    """Write configuration and secret into *to*, the secret readable by its owner only; return the configuration."""
    to.mkdir(parents=True, exist_ok=True)
    secret = to.absolute() / answers.secret_name
    _put(secret, answers.secret + "\n", mode=0o600)
    config = to.absolute() / CONFIG_NAME
    _put(config, answers.config(secret), mode=0o644)
    return config


def _put(path: Path, text: str, *, mode: int) -> None:
    """Replace a file as a whole, with *mode* from the start."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    draft.replace(path)


def _tell_next(to: Path) -> None:
    config = to.absolute() / CONFIG_NAME
    option = "" if config == Path("/etc/stalwart-exporter") / CONFIG_NAME else f" --config {config}"
    for line in (
        f"written: {config}",
        f"next: stalwart-exporter{option}",
        "then: http://127.0.0.1:9787/ shows the server, and Prometheus scrapes http://127.0.0.1:9787/metrics",
    ):
        console.print(plain(line), soft_wrap=True)


def _quoted(text: str) -> str:
    """Return *text* as a TOML string: JSON's escapes are TOML's as well."""
    return json.dumps(text, ensure_ascii=False)
