"""The status page as HTML: needs no scripts or external assets, and is safe with texts from untrusted sources."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.clock import rfc3339
from exporter.printable import printable, shortened
from exporter.web.interfaces import CollectorState, StatusPage, StreamStatus
from exporter.web.verdict.judge import judge
from exporter.web.words import ago, duration, size

TEXT_LIMIT = 600

_RELATIVE = re.compile(r"[a-z-]+(/[a-z-]+)*")
_BLANK = re.compile(r"\s")


class StatusRenderer:
    """
    Renders a `StatusPage` to bytes.

    Attributes:
        headers: Required response headers: the content security policy allows only the page's style sheet, by digest.
    """

    def __init__(self) -> None:
        css = files("exporter.web.pages").joinpath("templates/status.css").read_text("utf-8").strip()
        environment = Environment(
            loader=PackageLoader("exporter.web.pages"),
            autoescape=True,
            auto_reload=False,
            finalize=harmless,
            undefined=StrictUndefined,
        )
        environment.filters |= {
            "ago": ago,
            "capability_badge": _capability_badge,
            "duration": duration,
            "iso": rfc3339,
            "size": size,
            "state_badge": _state_badge,
            "stream_badge": _stream_badge,
            "up_badge": _up_badge,
        }
        environment.tests["web_address"] = is_web_address
        environment.globals["css"] = Markup(css)  # noqa: S704 - our own file, without variables
        self._template = environment.get_template("status.html")
        self.headers: Mapping[str, str] = {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": _policy(css),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def render(self, page: StatusPage, *, now: datetime) -> bytes:
        """Return the page as of *now*."""
        return self._template.render(page=page, verdict=judge(page, now=now), now=now).encode("utf-8", "replace")


def _policy(css: str) -> str:
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def harmless(value: object) -> object:
    """
    Return a value that is safe in the page: cut to `TEXT_LIMIT` characters, with unprintable ones made visible.

    The template escapes HTML; this handles what escaping leaves: direction marks, terminal sequences, and overlong
    texts.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(_BLANK.sub(" ", shortened(value, TEXT_LIMIT)))


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


def _up_badge(up: bool | None) -> tuple[str, str]:
    return ("wait", "not polled yet") if up is None else ("good", "up") if up else ("bad", "down")


def _state_badge(state: CollectorState) -> tuple[str, str]:
    kinds = {CollectorState.OK: "good", CollectorState.FAILING: "bad", CollectorState.WAITING: "wait"}
    return kinds.get(state, "off"), state.value


def _capability_badge(status: str) -> tuple[str, str]:
    kinds = {"available": "good", "forbidden": "wait"}
    return kinds.get(status, "off"), status.replace("_", " ")


def _stream_badge(stream: StreamStatus) -> tuple[str, str]:
    if stream.connected:
        return "good", "connected"
    return ("off", stream.off.replace("_", " ")) if stream.off else ("wait", "disconnected")
