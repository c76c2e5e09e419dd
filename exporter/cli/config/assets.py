"""``stalwart-exporter assets``: writes out what comes with the exporter, for Prometheus, Grafana and systemd."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from exporter.cli.output import complain, console, plain

EXIT_UNUSABLE = 1

ROOT = Path(__file__).parents[3]
INSTALLED = Path(__file__).parents[2] / "assets"

FOLDERS: Mapping[str, str] = {
    "alerts": "alerts",
    "dashboards": "dashboards/grafana",
    "runbooks": "docs/runbooks",
    "man": "docs/man",
    "deploy": "deploy",
}
"""Where each folder is in the source tree; an installed package has them below `INSTALLED`."""

SUFFIXES = frozenset({".yml", ".yaml", ".json", ".md", ".1", ".service", ".socket", ".conf", ".toml", ".libsonnet"})
"""Programs stay where they are."""


def write_assets(to: Path) -> int:
    """Copy all files below *to*, over earlier copies of them; return the exit status."""
    try:
        count = sum(_copy(source, to / target) for source, target in shipped_files())
    except OSError as error:
        complain(f"{error.filename or to}: {error.strerror}")
        return EXIT_UNUSABLE
    console.print(plain(f"{count} files written to {to}"), soft_wrap=True)
    for name in FOLDERS:
        console.print(plain(f"  {to / name}"), soft_wrap=True)
    return 0


def shipped_files() -> Iterator[tuple[Path, Path]]:
    """Yield each file, and its path below the target."""
    for name, source in FOLDERS.items():
        folder = INSTALLED / name if INSTALLED.is_dir() else ROOT / source
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.is_file() and path.suffix in SUFFIXES and "source" not in inner.parts:
                yield path, Path(name) / inner


def _copy(source: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return 1
