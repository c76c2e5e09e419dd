"""Prints what the pages' templates use, so that unused code can be told from what only a template uses."""

from __future__ import annotations

import sys
from pathlib import Path

from jinja2 import Environment, nodes

TEMPLATES = Path(__file__).parents[1] / "exporter" / "web" / "pages" / "templates"


def names() -> set[str]:
    """Return the names of all attributes in the templates."""
    environment = Environment(autoescape=True)
    parsed = [environment.parse(path.read_text("utf-8")) for path in TEMPLATES.rglob("*.html")]
    return {node.attr for tree in parsed for node in tree.find_all(nodes.Getattr)}


if __name__ == "__main__":
    sys.stdout.writelines(f"_.{name}\n" for name in sorted(names()))
