"""The wheel and the source distribution, installed into an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.cli.config.assets import FOLDERS, shipped_files
from tests.support.commands import environment
from tests.support.exporter import wait_until
from tests.support.paths import ROOT

START = "import sys; from exporter.__main__ import main; sys.argv[0] = 'stalwart-exporter'; main()"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both distributions, built from the source tree."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        # The same input makes the same files.
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
    )
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which the package comes from the wheel, and its dependencies from this interpreter."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)  # noqa: S202 - our own archive
    # Packages only: the source tree is known to this interpreter through a .pth file, which PYTHONPATH does not read.
    return {"PYTHONPATH": os.pathsep.join((str(folder), sysconfig.get_path("purelib")))}


def run(arguments: list[str], directory: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs the command of the wheel; -S leaves the source tree out."""
    command = [sys.executable, "-S", "-c", START, *arguments]
    return subprocess.run(
        command,
        cwd=directory,
        env=environment(directory, environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_wheel_has_everything_that_is_shipped(built: Path):
    """Rules, boards, runbooks, units, manual page and templates; nothing of the tests."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    wanted = {f"exporter/assets/{target.as_posix()}" for _, target in shipped_files()}
    assert wanted - names == set()
    assert {f"exporter/{path.relative_to(ROOT / 'exporter')}" for path in (ROOT / "exporter").rglob("*.html")} <= names
    assert not [name for name in names if name.startswith(("tests/", "tools/", "benchmarks/"))]


def test_the_source_distribution_can_be_built_from(built: Path):
    """It contains what the wheel is made of."""
    (archive_path,) = built.glob("*.tar.gz")
    with tarfile.open(archive_path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "pyproject.toml",
        "exporter/__main__.py",
        "alerts/thresholds.yaml",
        "deploy/kubernetes/exporter.yaml",
    } <= names


def test_the_installed_command_writes_what_comes_with_it(installed: Mapping[str, str], tmp_path: Path):
    """The same files as from the source tree."""
    ended = run(["assets", "--to", str(tmp_path / "out")], tmp_path, installed)

    assert ended.returncode == 0, ended.stderr
    found = {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    assert {target: source.read_bytes() for source, target in shipped_files()} == {
        name: text for name, text in found.items() if (tmp_path / "out" / name).is_file()
    }
    assert {path.parts[0] for path in found} == set(FOLDERS)


def test_assets_that_cannot_be_written_are_told(tmp_path: Path):
    """Exit status 1 and the path."""
    (tmp_path / "file").write_text("")
    ended = subprocess.run(
        [sys.executable, "-m", "exporter", "assets", "--to", str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "file" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_installed_command_serves(installed: Mapping[str, str], tmp_path: Path):
    """The daemon and its pages run from the wheel alone, the runbooks included."""
    log = tmp_path / "exporter.log"
    environ = environment(tmp_path, installed)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "run"], cwd=tmp_path, env=environ, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: b"exporter.started" in log.read_bytes(), what="the exporter has started", seconds=300)
        origin = subprocess.run(
            [sys.executable, "-c", "import exporter; print(exporter.__file__)"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert str(ROOT) not in origin
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
