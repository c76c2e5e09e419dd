"""The pages for maintainers name what is in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MAP = ROOT / "docs" / "architecture.md"
PAGES = [MAP, ROOT / "CONTRIBUTING.md"]

REFERENCE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)(?::([A-Za-z_][\w.]*))?`")
"""A Python file in backquotes: with its path or by its name alone, perhaps with a name defined in it."""

WALK = re.compile(
    r"^### (?P<title>[^\n]+) \((?P<files>\d+) files\)\n(?P<steps>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL
)


@cache
def definitions(path: Path) -> frozenset[str]:
    """The functions, classes and constants of a module, and the methods of its classes as ``Class.method``."""
    return frozenset(_defined(ast.parse(path.read_text()).body))


def _defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, f"{prefix}{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def problems(text: str) -> list[str]:
    """What *text* names that does not exist; a file without its folder may be anywhere in the package."""
    found = []
    for path, name in REFERENCE.findall(text):
        if "/" in path:
            files = [ROOT / path] if (ROOT / path).is_file() else []
        else:
            files = list((ROOT / "exporter").rglob(path))
        if not files:
            found.append(f"{path}: no such file")
        elif name and not any(name in definitions(file) for file in files):
            found.append(f"{path}:{name}: no such name")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_and_name_of_a_page_exists(page: Path):
    """A renamed function or a moved file fails until the page follows."""
    text = page.read_text()

    assert problems(text) == []
    assert sum(bool(name) for _, name in REFERENCE.findall(text)) >= 10


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("exporter/app/reload.py:Reloader.reload", None),
        ("exporter/clock.py:unix_second", None),
        ("exporter/app/reload.py:Reloader.rewind", "exporter/app/reload.py:Reloader.rewind: no such name"),
        ("exporter/app/reload.py:run", "exporter/app/reload.py:run: no such name"),
        ("exporter/app/unload.py:Reloader", "exporter/app/unload.py: no such file"),
        ("unload.py", "unload.py: no such file"),
    ],
)
def test_a_wrong_name_is_found(reference: str, problem: str | None):
    """Methods count with their class, and files with their folder."""
    assert problems(f"See `{reference}`.") == ([problem] if problem else [])


def test_every_package_folder_is_on_the_map():
    """Each folder with Python code below `exporter` is named with its path."""
    text = MAP.read_text()
    folders = {file.parent.relative_to(ROOT).as_posix() for file in (ROOT / "exporter").rglob("*.py")}

    assert sorted(folder for folder in folders if f"`{folder}`" not in text) == []


def test_a_walk_has_as_many_files_as_its_heading_says():
    """The number counts the different files of the steps."""
    walks = {
        walk["title"]: (int(walk["files"]), len({path for path, name in REFERENCE.findall(walk["steps"]) if name}))
        for walk in WALK.finditer(MAP.read_text())
    }

    assert len(walks) >= 5
    assert {title: counts for title, counts in walks.items() if counts[0] != counts[1]} == {}
