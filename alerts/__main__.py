"""Makes the rule files: ``python -m alerts --write``; with ``--thresholds`` and ``--output`` those of an operator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alerts.rules import THRESHOLDS, documents
from alerts.thresholds import ThresholdsError, load

HERE = Path(__file__).parent
PACKAGED = HERE.parent / "exporter" / "web" / "verdict" / THRESHOLDS
"""Where the exporter reads the shipped thresholds."""


def main() -> int:
    """The exit status: 0, 1 where `--check` finds a file that is not what it should be, 2 for bad thresholds."""
    parser = argparse.ArgumentParser(prog="python -m alerts", description="Prometheus rules for stalwart-exporter.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the rule files")
    what.add_argument("--check", action="store_true", help="say which of them are out of date")
    parser.add_argument("--thresholds", type=Path, metavar="FILE", help="thresholds to put over the shipped ones")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", default=HERE, help="where the files are (default: %(default)s)"
    )
    options = parser.parse_args()
    if options.write and options.thresholds and options.output == HERE:
        parser.error("--thresholds needs an --output of your own: the files here are those of the shipped thresholds")
    try:
        made = documents(load(options.thresholds))
    except ThresholdsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command line tool speaks
        return 2
    return _write(made, options.output) if options.write else _check(made, options.output)


def _write(made: dict[str, str], folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        _path(folder, name).write_text(text, encoding="utf-8")
    return 0


def _path(folder: Path, name: str) -> Path:
    return PACKAGED if folder == HERE and name == THRESHOLDS else folder / name


def _check(made: dict[str, str], folder: Path) -> int:
    stale = [
        name
        for name, text in made.items()
        if not _path(folder, name).exists() or _path(folder, name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        print(f"{name} is not what alerts/source and the thresholds say: python -m alerts --write", file=sys.stderr)  # noqa: T201 - a command line tool speaks
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
