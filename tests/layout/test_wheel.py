"""What `pip install .` puts into an environment: the package and nothing generic."""

import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.layout.project import PROJECT, pins, tracked, wanted

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project, built with the environment's setuptools: no network, nothing left behind."""
    copy, built = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, copy / name)
    subprocess.run([sys.executable, "-c", BUILD, str(built)], cwd=copy, check=True, capture_output=True)  # noqa: S603 - our own text
    (found,) = built.iterdir()
    return found


def text_in(wheel: Path, end: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(end)]
        return archive.read(name)


def test_the_package_is_all_that_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    information = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    assert {name.split("/")[0] for name in names} == {"indexvault", information}
    assert {"indexvault/py.typed", "indexvault/settings/indexvault.schema.json"} <= set(names)
    modules = {name for name in tracked() if name.startswith("indexvault/") and name.endswith(".py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_command_is_the_only_entry_point(wheel: Path) -> None:
    lines = text_in(wheel, ".dist-info/entry_points.txt").decode().split("\n")
    assert [line for line in lines if line] == ["[console_scripts]", "indexvault = indexvault.cli.main:main"]


def test_it_requires_what_the_app_requires(wheel: Path) -> None:
    required = message_from_bytes(text_in(wheel, ".dist-info/METADATA")).get_all("Requires-Dist", [])
    assert [Requirement(text) for text in required] == wanted("requirements")


def test_what_only_development_needs_is_not_pinned_for_the_app() -> None:
    only_development = {requirement.name for requirement in wanted("requirements-development")}
    assert only_development.isdisjoint(pins("requirements"))
