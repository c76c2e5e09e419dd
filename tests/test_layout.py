"""How the code is laid out: small modules, small functions, small rooms, and tests that mirror the packages."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from tests.support.paths import ROOT

MAX_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_SIBLINGS = 15

CROWDED = frozenset({"exporter", "tests", "tests/support"})
"""Folders with a member for each package."""


def tracked(*patterns: str) -> list[PurePosixPath]:
    """The files of the repository."""
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [PurePosixPath(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def functions_of(path: PurePosixPath) -> list[tuple[str, int]]:
    """The functions of a module, with their lines."""
    tree = ast.parse((ROOT / path).read_text())
    return [
        (f"{path}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.fixture(scope="module")
def modules() -> list[PurePosixPath]:
    """Every Python file; where the files come from an archive, there is no list of them."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    return tracked("*.py")


def test_no_module_is_long(modules: list[PurePosixPath]):
    """A module holds one idea."""
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules}

    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_function_is_long(modules: list[PurePosixPath]):
    """A function fits on a screen."""
    lengths = dict(pair for path in modules for pair in functions_of(path))

    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_no_folder_is_crowded(modules: list[PurePosixPath]):
    """Where there are more siblings, a folder is missing."""
    members = {(path.parents[up], path.parts[-up - 1]) for path in modules for up in range(len(path.parts) - 1)}
    counts = Counter(str(folder) for folder, name in members if name not in ("__init__.py", "conftest.py"))

    crowded = {folder: count for folder, count in counts.items() if count > MAX_SIBLINGS}
    assert crowded.keys() - CROWDED == set()


def test_tests_mirror_the_packages(modules: list[PurePosixPath]):
    """A folder of tests has the name of what it tests, those of end-to-end tests and helpers aside."""
    packages = {PurePosixPath(*path.parts[1:-1]) for path in modules if path.parts[0] == "exporter"}
    others = {"e2e", "support", "fuzz", "alerts", "dashboards", "packages", "tools"}
    folders = {PurePosixPath(*path.parts[1:-1]) for path in modules if path.parts[0] == "tests"}

    strange = {str(folder) for folder in folders - packages if folder.parts and folder.parts[0] not in others}
    assert strange == set()


def test_no_module_imports_itself_by_way_of_others(modules: list[PurePosixPath]):
    """Imports have one direction, those for type checkers included."""
    imports = {module_of(path): imported_by(path) for path in modules if path.parts[0] == "exporter"}

    assert circles(imports) == set()


def module_of(path: PurePosixPath) -> str:
    """The dotted name of a module."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported_by(path: PurePosixPath) -> set[str]:
    """What a module imports by name, and the members of what it imports: some of these are modules."""
    tree = ast.parse((ROOT / path).read_text())
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {f"{node.module}.{alias.name}" for node in froms for alias in node.names} | {str(n.module) for n in froms}


def circles(imports: dict[str, set[str]]) -> set[str]:
    """The modules that can be reached from themselves: what remains when those that import none of the rest go."""
    left = {module: targets & imports.keys() - {module} for module, targets in imports.items()}
    for graph in (left, reversed_graph(left)):
        while leaves := {module for module, targets in graph.items() if not targets & left.keys()} & left.keys():
            for module in leaves:
                del left[module]
    return set(left)


def reversed_graph(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Who imports whom, the other way round."""
    return {module: {other for other, targets in graph.items() if module in targets} for module in graph}


def test_a_circle_is_found():
    """And what leads to it or away from it is not part of it."""
    imports = {"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": set()}

    assert circles(imports) == {"b", "c"}


def test_a_long_function_is_found(tmp_path: Path):
    """The measure counts the lines of a function as they stand."""
    module = tmp_path / "module.py"
    module.write_text("def long():\n" + "    pass\n" * 60)

    assert functions_of(PurePosixPath(module)) == [(f"{module}:long", 61)]
