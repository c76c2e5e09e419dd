"""The status page as HTML: readable without scripts or foreign assets, and safe whatever its texts say."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.web.ports import CollectorState, StatusPage
from exporter.web.verdict import judge

TEXT_LIMIT = 600


class StatusRenderer:
    """
    Turns a `StatusPage` into bytes.

    Attributes:
        headers: What must accompany the page: the content security policy allows its own style sheet by digest and
            nothing else.
    """

    def __init__(self) -> None:
        css = files("exporter.web").joinpath("templates/status.css").read_text("utf-8").strip()
        environment = Environment(
            loader=PackageLoader("exporter.web"),
            autoescape=True,
            auto_reload=False,
            finalize=harmless,
            undefined=StrictUndefined,
        )
        environment.filters |= {
            "ago": ago,
            "capability_badge": _capability_badge,
            "duration": duration,
            "iso": _iso,
            "size": size,
            "state_badge": _state_badge,
            "up_badge": _up_badge,
        }
        environment.tests["web_address"] = is_web_address
        environment.globals["css"] = Markup(css)  # noqa: S704 - our own file, which holds no value
        self._template = environment.get_template("status.html")
        self.headers: Mapping[str, str] = {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": _policy(css),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def render(self, page: StatusPage, *, now: datetime) -> bytes:
        """The page as of *now*."""
        return self._template.render(page=page, verdict=judge(page), now=now).encode("utf-8", "replace")


def _policy(css: str) -> str:
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def harmless(value: object) -> object:
    """
    A value fit to stand in the page: cut to `TEXT_LIMIT` characters, its unprintable ones made visible.

    Escaping is the template's own; this is about what survives escaping: marks that turn the direction of the text
    around it, terminal sequences, and texts that are too long to read.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    cut = value if len(value) <= TEXT_LIMIT else value[: TEXT_LIMIT - 1] + "…"
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in cut)


def is_web_address(url: str) -> bool:
    """Whether a link may point there: a path on this server, or http and https with a host."""
    if not url.isprintable() or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme:
        return parts.scheme in ("http", "https") and bool(parts.netloc)
    return url.startswith("/") and not parts.netloc


def ago(when: datetime, now: datetime) -> str:
    """How long ago that was; a moment ahead of a clock that differs is ``in ...``."""
    seconds = (now - when).total_seconds()
    return f"in {duration(-seconds)}" if seconds <= -1 else f"{duration(max(0.0, seconds))} ago"


def duration(seconds: float) -> str:
    """
    A length of time in its largest unit, and the next one where that still matters::

        45 s    12 min    3 h 20 min    5 d 2 h
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two_units(whole, 60, "min", 1, "s") if whole % 60 and whole < 600 else f"{whole // 60} min"
    if whole < 86400:
        return _two_units(whole, 3600, "h", 60, "min")
    return _two_units(whole, 86400, "d", 3600, "h")


def _two_units(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    major, minor = whole // large, whole % large // small
    return f"{major} {large_name} {minor} {small_name}" if minor else f"{major} {large_name}"


def size(size_bytes: int) -> str:
    """Bytes in the unit that people read."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _up_badge(up: bool | None) -> tuple[str, str]:
    return ("wait", "not asked yet") if up is None else ("good", "up") if up else ("bad", "down")


def _state_badge(state: CollectorState) -> tuple[str, str]:
    kinds = {CollectorState.OK: "good", CollectorState.FAILING: "bad", CollectorState.WAITING: "wait"}
    return kinds.get(state, "off"), state.value


def _capability_badge(status: str) -> tuple[str, str]:
    kinds = {"available": "good", "forbidden": "bad"}
    return kinds.get(status, "off"), status.replace("_", " ")
