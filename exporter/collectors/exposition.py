"""
The exposition, kept ready for scrapes.

The samples of one family from one source form a *fragment* of finished lines. When state changes, only the fragments of
its source are rendered again and the document is reassembled; a scrape in between copies bytes. Sample lines are
identical in both formats, so each is rendered once.
"""

from __future__ import annotations

import gzip as gzip_module
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exporter.collectors.families import FAMILIES
from exporter.collectors.family import Family, Kind
from exporter.printable import printable

Labels = tuple[str, ...]
GZIP_LEVEL = 4


KEPT_READY_SECONDS = 330.0
"""How long a format is kept ready after its last scrape: a little more than a scrape interval of five minutes."""


class Format(Enum):
    """An exposition format; the value is its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Buckets:
    """
    The value of a histogram.

    Attributes:
        bounds: Finite upper bounds, ascending.
        counts: Non-cumulative counts per bucket; one more than there are bounds.
        sum: Sum of the observations, in the family's unit.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float


Value = float | int | Buckets
Samples = Mapping[Labels, Value]
Collected = tuple[Family, Samples]


class Source(Protocol):
    """The metrics of one collector for one server, or of the exporter itself."""

    def version(self) -> object:
        """Return a value that changes whenever the result of `collect` does."""

    def collect(self) -> Iterable[Collected]:
        """Yield the families with their current samples; missing samples are left out."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """
    Finished lines of one family from one source.

    Attributes:
        lines: Sample lines; for a gauge histogram its buckets.
        gcount: Count lines of a gauge histogram.
        gsum: Sum lines of a gauge histogram.
    """

    lines: str
    gcount: str = ""
    gsum: str = ""


def escape(value: str) -> str:
    """Escape a label value for use between quotes."""
    if "\\" in value or '"' in value or "\n" in value:
        value = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value if value.isprintable() else printable(value)  # the call would cost more than the check


def number(value: float) -> str:
    """Format a sample value for both formats."""
    if isinstance(value, int):
        return str(value)
    if value == float("inf"):
        return "+Inf"
    if value != value:
        return "NaN"
    return repr(value)


class LineWriter:
    """Renders the lines of one family for one source; caches the constant parts of lines."""

    def __init__(self, family: Family, server: str | None) -> None:
        self._family = family
        self._fixed = () if server is None else (("server", server),)
        self._heads: dict[Labels, str] = {}
        self._histogram_heads: dict[Labels, tuple[str, ...]] = {}

    def write(self, samples: Samples) -> Fragment:
        """Return the lines of *samples*."""
        if len(self._heads) > 2 * len(samples) + 64:
            self._heads = {}
        if self._family.kind in (Kind.HISTOGRAM, Kind.GAUGE_HISTOGRAM):
            return self._write_histograms(samples)
        heads = self._heads
        for labels in samples.keys() - heads.keys():
            heads[labels] = f"{self._family.name}{self._braces(labels)} "
        return Fragment(
            "".join(
                [
                    f"{heads[labels]}{value}\n" if type(value) is int else f"{heads[labels]}{number(value)}\n"  # type: ignore[arg-type]
                    for labels, value in samples.items()
                ]
            )
        )

    def _braces(self, labels: Labels, *more: tuple[str, str]) -> str:
        pairs = (*self._fixed, *zip(self._family.labels, labels, strict=True), *more)
        return "{" + ",".join(f'{name}="{escape(value)}"' for name, value in pairs) + "}" if pairs else ""

    def _write_histograms(self, samples: Samples) -> Fragment:
        gauge = self._family.kind is Kind.GAUGE_HISTOGRAM
        lines: list[str] = []
        counts: list[str] = []
        sums: list[str] = []
        for labels, value in samples.items():
            if not isinstance(value, Buckets):
                raise TypeError(f"{self._family.name} takes buckets")
            head = self._histogram_head(labels, value.bounds)
            running = 0
            for prefix, count in zip(head, value.counts, strict=False):
                running += count
                lines.append(f"{prefix}{running}\n")
            braces = self._braces(labels)
            name = self._family.name
            (counts if gauge else lines).append(f"{name}{'_gcount' if gauge else '_count'}{braces} {running}\n")
            (sums if gauge else lines).append(f"{name}{'_gsum' if gauge else '_sum'}{braces} {number(value.sum)}\n")
        return Fragment("".join(lines), "".join(counts), "".join(sums))

    def _histogram_head(self, labels: Labels, bounds: Sequence[float]) -> tuple[str, ...]:
        head = self._histogram_heads.get(labels)
        if head is None or len(head) != len(bounds) + 1:
            ends = [*(number(float(bound)) for bound in bounds), "+Inf"]
            head = tuple(f"{self._family.name}_bucket{self._braces(labels, ('le', end))} " for end in ends)
            self._histogram_heads[labels] = head
        return head


class _SourceState:
    """The fragments of one source as last rendered."""

    def __init__(self, source: Source, server: str | None) -> None:
        self.source = source
        self.server = server
        self.version: object = None
        self.fragments: dict[str, Fragment] = {}
        self.writers: dict[str, LineWriter] = {}

    def renew(self) -> bool:
        """Render the fragments again if their source has changed; return whether it has."""
        version = self.source.version()
        if version == self.version:
            return False
        fragments = {}
        for family, samples in self.source.collect():
            if not samples:
                continue
            writer = self.writers.get(family.name)
            if writer is None:
                writer = self.writers[family.name] = LineWriter(family, self.server)
            fragments[family.name] = writer.write(samples)
        self.version = version
        self.fragments = fragments
        return True


class Exposition:
    """
    The document in both formats, compressed and uncompressed.

    `build` is cheap when nothing has changed. Forms that were not requested recently are not kept ready. *extra*
    returns rendered families of other registries, without the end marker.
    """

    def __init__(self, *, extra: Callable[[Format], bytes], monotonic: Callable[[], float]) -> None:
        self._states: list[_SourceState] = []
        self._extra = extra
        self._monotonic = monotonic
        self._ready: dict[tuple[Format, bool], bytes] = {}
        self._wanted: dict[tuple[Format, bool], float] = {}

    def add(self, source: Source, *, server: str | None) -> None:
        """Add a source; *server* is the value of its label, ``None`` for the exporter itself."""
        self._states.append(_SourceState(source, server))
        self._ready.clear()

    def remove(self, server: str) -> None:
        """Remove all sources of *server*."""
        self._states = [state for state in self._states if state.server != server]
        self._ready.clear()

    def build(self, *, force: bool = False) -> None:
        """Update the document in the forms requested recently; with *force* even if no source has changed."""
        changed = [state.renew() for state in self._states]
        if not (force or any(changed)):
            return
        self._ready.clear()
        oldest = self._monotonic() - KEPT_READY_SECONDS
        self._wanted = {form: asked for form, asked in self._wanted.items() if asked >= oldest}
        for form in self._wanted:
            self._make(form)

    def exposition(self, fmt: Format, gzip: bool) -> tuple[bytes, str]:
        """Return the body and its content type; renders only if the form is not kept ready."""
        form = (fmt, gzip)
        self._wanted[form] = self._monotonic()
        body = self._ready.get(form)
        if body is None:
            body = self._make(form)
        return body, fmt.value

    def _make(self, form: tuple[Format, bool]) -> bytes:
        fmt, compressed = form
        body = self._ready.get((fmt, False))
        if body is None:
            body = self._join(fmt)
            self._ready[(fmt, False)] = body
        if compressed:
            body = self._ready[form] = gzip_module.compress(body, GZIP_LEVEL, mtime=0)
        return body

    def _join(self, fmt: Format) -> bytes:
        parts: list[str] = []
        for family in FAMILIES:
            fragments = [s.fragments[family.name] for s in self._states if family.name in s.fragments]
            if fragments:
                parts.extend(document_of(family, fragments, fmt))
        body = "".join(parts).encode() + self._extra(fmt)
        return body + b"# EOF\n" if fmt is Format.OPENMETRICS else body


def document_of(family: Family, fragments: Sequence[Fragment], fmt: Format) -> Iterable[str]:
    """Yield one family with its header, in *fmt*."""
    help_text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if fmt is Format.OPENMETRICS:
        name = family.name.removesuffix("_total").removesuffix("_info") if family.kind in BARE else family.name
        yield f"# HELP {name} {help_text}\n# TYPE {name} {family.kind.value}\n"
        for fragment in fragments:
            yield fragment.lines
            yield fragment.gcount
            yield fragment.gsum
        return
    yield f"# HELP {family.name} {help_text}\n# TYPE {family.name} {TEXT_TYPES[family.kind]}\n"
    for fragment in fragments:
        yield fragment.lines
    if family.kind is Kind.GAUGE_HISTOGRAM:
        yield f"# HELP {family.name}_gcount {help_text}\n# TYPE {family.name}_gcount gauge\n"
        yield from (fragment.gcount for fragment in fragments)
        yield f"# HELP {family.name}_gsum {help_text}\n# TYPE {family.name}_gsum gauge\n"
        yield from (fragment.gsum for fragment in fragments)


BARE = (Kind.COUNTER, Kind.INFO)

TEXT_TYPES = {
    Kind.GAUGE: "gauge",
    Kind.COUNTER: "counter",
    Kind.HISTOGRAM: "histogram",
    Kind.GAUGE_HISTOGRAM: "histogram",
    Kind.INFO: "gauge",
}
"""The text format has neither gauge histograms nor info metrics."""
