"""The exception tree."""

from __future__ import annotations

import inspect
import re

import exporter.errors
from exporter.errors import ExporterError


def draw(kind: type[Exception], indent: str = "") -> list[str]:
    """The tree of the module's classes below *kind* as a docstring draws it, in the order of their definitions."""
    lines = []
    children = [child for child in kind.__subclasses__() if child.__module__ == exporter.errors.__name__]
    for child in children:
        last = child is children[-1]
        lines.append(f"{indent}{'`--' if last else '|--'} {child.__name__}")
        lines += draw(child, indent + ("    " if last else "|   "))
    return lines


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    """Names, order and nesting are as drawn, and each class has a description beside it."""
    drawn = re.findall(r"^([ |]*(?:\|--|`--) \w+)( +\S.*)?$", inspect.getdoc(exporter.errors) or "", re.MULTILINE)

    assert [line.removeprefix("    ") for line, _ in drawn] == draw(ExporterError)
    assert [line for line, description in drawn if not description] == []


def test_every_exception_of_the_exporter_is_in_the_tree():
    """The module defines no exception outside the tree."""
    kinds = {kind for _, kind in inspect.getmembers(exporter.errors, inspect.isclass) if issubclass(kind, Exception)}
    drawn = {line.split()[-1] for line in draw(ExporterError)} | {"ExporterError"}
    assert {kind.__name__ for kind in kinds} == drawn
