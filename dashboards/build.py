"""Makes the dashboards: ``python -m dashboards.build --write``; ``--check`` says what is out of date or badly made."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dashboards.boards import BOARDS
from dashboards.boards.document import to_json
from dashboards.boards.lint import complaints

GRAFANA = Path(__file__).with_name("grafana")


def main() -> int:
    """The exit status: 0, or 1 where `--check` has something to say."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards.build", description="Grafana dashboards of this project."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the dashboards")
    what.add_argument("--check", action="store_true", help="say which are out of date, and lint them")
    options = parser.parse_args()
    made = {f"{board.uid}.json": to_json(board) for board in BOARDS}
    if options.write:
        GRAFANA.mkdir(exist_ok=True)
        for name, text in made.items():
            (GRAFANA / name).write_text(text, encoding="utf-8")
    problems = [f"{name}: {words}" for name, text in made.items() for words in complaints(json.loads(text))]
    if options.check:
        problems += stale(made)
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 - a command line tool speaks
    return 1 if problems else 0


def stale(made: dict[str, str]) -> list[str]:
    """The files that are not what the code makes, and those that it does not make."""
    there = {path.name: path.read_text(encoding="utf-8") for path in GRAFANA.glob("*.json")}
    old = [
        f"{name}: not what the code makes: python -m dashboards.build --write"
        for name in made
        if there.get(name) != made[name]
    ]
    return old + [f"{name}: no code makes this" for name in there if name not in made]


if __name__ == "__main__":
    sys.exit(main())
