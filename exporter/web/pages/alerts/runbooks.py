"""The runbooks as HTML: Markdown files that the package brings along."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from exporter.web.words import slug

INDEX = "README"
"""The file about all alerts, with what to do before the first command."""

INDEX_NAME = "before-you-start"
"""Its name as a page."""

_NAME = re.compile(r"[A-Za-z]{1,64}")
_LINK = re.compile(r"([A-Za-z]{1,64})\.md(#[a-z-]{1,64})?")


class Runbook(NamedTuple):
    """A runbook: its title, and its content in HTML."""

    title: str
    content: Markup


def runbook(name: str) -> Runbook | None:
    """Return the runbook of an alert, or the one named `INDEX_NAME`; ``None`` if there is none."""
    file = INDEX if name == INDEX_NAME else name
    return _rendered(file) if _NAME.fullmatch(file) and file in names() else None


@cache
def names() -> frozenset[str]:
    """Return the names of all runbooks."""
    return frozenset(path.stem for path in folder().glob("*.md"))


@cache
def folder() -> Path:
    """Return where the runbooks are: in the installed package, otherwise in the source tree."""
    installed = Path(__file__).parents[3] / "assets" / "runbooks"
    return installed if installed.is_dir() else Path(__file__).parents[4] / "docs" / "runbooks"


@cache
def _rendered(file: str) -> Runbook:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse((folder() / f"{file}.md").read_text("utf-8"))
    title = next((content for _, content in _headings(tokens)), file)
    for opening, content in _headings(tokens):
        opening.attrSet("id", slug(content))
    for token in _all(tokens):
        # The pages have no style but their sheet.
        token.attrs.pop("style", None)
        if token.type == "link_open":
            _mend(token)
        if token.type == "fence":
            # What is wider than the window is scrolled, also with keys.
            token.attrSet("tabindex", "0")
    html = markdown.renderer.render(_without_title(tokens), markdown.options, {})
    return Runbook(title, Markup(html))  # noqa: S704 - from our own files, without raw HTML


def _headings(tokens: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            yield opening, inline.content


def _without_title(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return the tokens after the first heading, if the document begins with one: it is the page's own."""
    return tokens[3:] if tokens and tokens[0].type == "heading_open" else tokens


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _mend(link: Token) -> None:
    """Make a link to another runbook one to its page; one to a file that is no page leads nowhere."""
    target = str(link.attrGet("href") or "")
    if match := _LINK.fullmatch(target):
        name = INDEX_NAME if match[1] == INDEX else match[1]
        link.attrSet("href", name + (match[2] or ""))
    elif not target.startswith(("https://", "#")):
        link.attrs.pop("href", None)
