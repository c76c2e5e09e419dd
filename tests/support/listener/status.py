"""Status pages with hostile texts, and a reader of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from starlette.datastructures import QueryParams

from exporter.web.interfaces import (
    CapabilityRow,
    CollectorState,
    Link,
    StatusPage,
    StoreStatus,
    StreamStatus,
)
from exporter.web.pages.visit import Visit
from tests.support.listener.app import NOW, FixedStatus, collector, server_status, status_page

HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=1">',
    "'onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "</style><style>body{display:none}",
    "\u202egpj.exe\u2066\u200f",
    "\x1b[31mred\x1b]0;title\x07",
    "\ud800 lone surrogate",
    "null\0byte\r\nSet-Cookie: a=b",
    "&lt;b&gt; &amp;",
)


@dataclass
class Page:
    """What a parser finds in a page."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def attributes(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [value or "" for _, found in self.tags for key, value in found.items() if key == name]


class Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._page.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self._page.text += data


def read(html: str) -> Page:
    page = Page()
    Reader(page).feed(html)
    page.text = " ".join(page.text.split())
    return page


def visit_of(page: StatusPage, *, path: str = "/", arguments: Mapping[str, str] | None = None) -> Visit:
    """A visit at `NOW` of a page over these facts."""
    return Visit(
        root="../" * (path.count("/") - 1) or "./",
        segments=path.split("/")[1:],
        arguments=arguments or {},
        query=QueryParams(""),
        personal=True,
        only_domain=None,
        source=FixedStatus(page),
        history=None,
        now=NOW,
    )


def hostile_page() -> StatusPage:
    """A page in which everything that can hold a text holds each hostile one."""
    everything = " ".join(HOSTILE)
    server = server_status(
        name=everything,
        url=everything,
        generation=everything,
        edition=everything,
        version=everything,
        note=everything,
        capabilities=[CapabilityRow(name=text, status=text, words=text) for text in HOSTILE],
        collectors=[collector(text, state=CollectorState.FAILING, error=text) for text in HOSTILE],
        streams=[StreamStatus(name=t, connected=False, transport=t, last_event_at=None) for t in HOSTILE],
    )
    return status_page(
        server,
        version=everything,
        store=StoreStatus(path=everything, size_bytes=0, ok=False, error=everything),
        links=[Link(text=text, url=url) for text in HOSTILE for url in (text, "javascript:alert(1)")],
    )
