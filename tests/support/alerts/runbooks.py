"""The shell commands of the runbooks, as somebody pastes them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.support.paths import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"

REST, JMAP = "# up to v0.15", "# from v0.16 on"

HOST_COMMANDS = (
    *("systemctl", "journalctl", "dmesg", "df", "ls", "tail", "openssl", "getent", "timeout", "dig", "amtool"),
    *("timedatectl", "chronyc"),
    'curl -sS "https://mta-sts.',
    "curl -s http://127.0.0.1:9787/",
    "curl -sS http://127.0.0.1:9787/",
)
"""What asks a host, the DNS, other services or the exporter rather than the mail server's management API."""


@dataclass(frozen=True)
class Block:
    """
    One block of shell commands.

    Attributes:
        common: The lines before the first part.
        parts: The lines for each generation, by `REST` and `JMAP`.
    """

    text: str
    common: Sequence[str]
    parts: Mapping[str, Sequence[str]]

    def lines_for(self, generation: str) -> list[str]:
        """What is pasted for a server of *generation*."""
        return [*self.common, *self.parts.get(generation, ())]


def names() -> list[str]:
    """The runbooks."""
    return sorted(path.stem for path in RUNBOOKS.glob("*.md") if path.stem != "README")


def blocks(name: str) -> list[Block]:
    """The blocks of one runbook, in order."""
    text = (RUNBOOKS / f"{name}.md").read_text()
    return [_block(found) for found in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]


def _block(text: str) -> Block:
    common: list[str] = []
    parts: dict[str, list[str]] = {}
    lines = common
    for line in text.splitlines():
        mark = next((mark for mark in (REST, JMAP) if line.startswith(mark)), None)
        if mark is not None:
            lines = parts.setdefault(mark, [])
        elif line:
            lines.append(line)
    return Block(text, common, parts)


def functions() -> str:
    """The functions that the README has one paste first; its settings are left to the environment."""
    [block] = blocks("README")
    return "\n".join(line for line in block.common if not line.startswith("export "))


def is_about_the_server(line: str) -> bool:
    """Whether a line asks the server's management API."""
    return not line.startswith((*HOST_COMMANDS, "stalwart-exporter"))


def programs(line: str) -> Iterator[str]:
    """The programs that a line begins with, piped ones included."""
    for command in re.split(r"\||;|&&", re.sub(r"'[^']*'|\"[^\"]*\"", "_", line.partition("  #")[0])):
        words = command.split()
        if words:
            yield words[0]


def run(lines: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What bash makes of the functions and *lines*, where the failure of any program in a pipe counts."""
    script = "\n".join(("set -e -o pipefail", functions(), *lines))
    return subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
