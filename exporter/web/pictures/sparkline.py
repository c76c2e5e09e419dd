"""A line that shows how one number has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

from exporter.web.pictures.drawing import Kind, number, picture

WIDTH, HEIGHT = 240.0, 48.0
MARGIN = 2.0


def sparkline(
    values: Sequence[float | None], *, text: str, kind: Kind = Kind.PLAIN, top: float | None = None
) -> Markup:
    """
    Return a line through *values*, which are equally far apart in time, above a filled area.

    ``None`` leaves a gap. The scale reaches from 0 to *top*, by default to the largest value. *text* says what is shown
    to those who do not see it.
    """
    known = [value for value in values if value is not None]
    scale = max(top or 0.0, max(known, default=0.0)) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    points = [None if value is None else (n * step, _height(value / scale)) for n, value in enumerate(values)]
    return picture(_shapes(points, kind), width=WIDTH, height=HEIGHT, text=text, name="sparkline")


def _height(share: float) -> float:
    return HEIGHT - MARGIN - min(1.0, max(0.0, share)) * (HEIGHT - 2 * MARGIN)


def _shapes(points: Sequence[tuple[float, float] | None], kind: Kind) -> Iterator[str]:
    for known, group in groupby(points, key=lambda point: point is not None):
        run = [point for point in group if point is not None]
        if not known:
            continue
        if len(run) == 1:
            run = [run[0], (run[0][0] + 1.0, run[0][1])]
        line = " ".join(f"{number(x)},{number(y)}" for x, y in run)
        begin, end = number(run[0][0]), number(run[-1][0])
        bottom = number(HEIGHT)
        yield f'<polygon class="area {kind.value}" points="{begin},{bottom} {line} {end},{bottom}"/>'
        yield f'<polyline class="line {kind.value}" points="{line}" vector-effect="non-scaling-stroke"/>'
