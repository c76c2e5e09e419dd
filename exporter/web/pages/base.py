"""
What all pages share: the template engine, safety with texts from strangers, headers, and the frame around the content.

A page is a template that extends ``base.html``; it needs no script and no outside resource. Its values come from a
frozen dataclass, so that a template has loops and no logic.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from exporter import __version__, printable
from exporter.clock import rfc3339
from exporter.web.pages.visit import Visit
from exporter.web.words import ago, duration, grouped, size

TEXT_LIMIT = 600

REFRESH_SECONDS = 60
"""How often a page is loaded again if its reader asked for that."""

REFRESH = "refresh"
"""The parameter of a page's address that asks for it."""

SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("overview", "Overview", ""),
    ("mail", "Mail", "mail"),
    ("reports", "Reports", "reports"),
    ("domains", "Domains", "domains"),
    ("alerts", "Alerts", "alerts"),
)
"""The navigation: a key for `respond`, the text, and the path below the root."""


def coded(text: str) -> Markup:
    """Return a sentence whose parts between backticks are marked as code."""
    parts = [escape(harmless(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(harmless(text))
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else p for n, p in enumerate(parts))


TENANT_SECTIONS = tuple(section for section in SECTIONS if section[0] == "mail")
"""The navigation of a login that may see the mail of one domain only."""

FILTERS: Mapping[str, Callable[..., object]] = {
    "ago": ago,
    "coded": coded,
    "duration": duration,
    "grouped": grouped,
    "iso": rfc3339,
    "size": size,
}

_RELATIVE = re.compile(r"[a-z-]+(/[a-z-]+)*")
_BLANK = re.compile(r"\s")


def respond(
    visit: Visit, template: str, *, title: str, section: str = "", status: int = 200, **values: Any
) -> Response:
    """
    Return a page as the response to *visit*.

    *title* is also the document's title, *section* the key of the navigation's current entry. *values* are the
    template's; ``visit``, ``now``, ``root``, ``title`` and ``section`` are there anyway.
    """
    refreshed = visit.query.get(REFRESH) == "1"
    text = (
        _environment()
        .get_template(template)
        .render(
            visit=visit,
            now=visit.now,
            root=visit.root,
            title=title,
            section=section,
            refreshed=refreshed,
            refresh_link=_refresh_link(visit, wanted=not refreshed),
            sections=SECTIONS if visit.only_domain is None else TENANT_SECTIONS,
            **values,
        )
    )
    headers = {**_headers(), **({"Refresh": str(REFRESH_SECONDS)} if refreshed else {})}
    return Response(text.encode("utf-8", "replace"), status, headers=headers)


def path_to(*segments: str, **query: str) -> Markup:
    """
    Return the path of a page relative to the exporter's root; segments and values of *query* may be any text.

    It is ready for an attribute: put ``{{ root }}`` before it.
    """
    path = "/".join(quote(segment.encode("utf-8", "replace"), safe="") for segment in segments)
    asked = urlencode({name: value.encode("utf-8", "replace") for name, value in query.items()})
    return Markup(f"{path}?{asked}".removesuffix("?").replace("&", "&amp;"))  # noqa: S704 - percent-encoded


def _refresh_link(visit: Visit, *, wanted: bool) -> Markup:
    """Return the address of the same page, with or without its refresh."""
    query = {name: value for name, value in visit.query.items() if name != REFRESH}
    return path_to(*visit.segments, **(query | ({REFRESH: "1"} if wanted else {})))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("exporter.web.pages"),
        autoescape=True,
        auto_reload=False,
        finalize=harmless,
        undefined=StrictUndefined,
    )
    environment.filters |= FILTERS
    environment.tests["web_address"] = is_web_address
    environment.globals |= {
        "css": Markup(_style()),  # noqa: S704 - our own file, without variables
        "path_to": path_to,
        "refresh_seconds": REFRESH_SECONDS,
        "version": __version__,
    }
    return environment


@cache
def _style() -> str:
    return files("exporter.web.pages").joinpath("templates/style.css").read_text("utf-8").strip()


@cache
def _headers() -> Mapping[str, str]:
    """Return the headers of every page: the policy allows only the pages' own style sheet, by digest."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def harmless(value: object) -> object:
    """
    Return a value that is safe in the page: cut to `TEXT_LIMIT` characters, with unprintable ones made visible.

    The template escapes HTML; this handles what escaping leaves: direction marks, terminal sequences, marks that pile
    up over other lines, and overlong texts.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable.harmless(_BLANK.sub(" ", value[: 4 * TEXT_LIMIT + 1]), TEXT_LIMIT)


def is_web_address(url: str) -> bool:
    """
    Return whether a link may point to *url*: a path relative to this page, or http and https with a host.

    An absolute path would miss the prefix under which a proxy serves this page.
    """
    if not url.isprintable() or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme:
        return parts.scheme in ("http", "https") and bool(parts.netloc)
    return _RELATIVE.fullmatch(url) is not None
