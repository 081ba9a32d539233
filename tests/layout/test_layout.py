"""What the house promises: pinned versions that agree, a README that is true, and no file tied to one machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

HOUSE = Path(__file__).parents[2]
KINDS = ["requirements", "requirements-development"]


def wanted(kind: str) -> list[Requirement]:
    """The requirements of an .in file, without its comments and its references to other files."""
    lines = (HOUSE / f"{kind}.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pins(kind: str) -> dict[str, str]:
    """The versions of a compiled file, by name."""
    found = {}
    for line in (HOUSE / f"{kind}.txt").read_text().splitlines():
        pin = re.fullmatch(r"([a-z0-9-]+)==([0-9a-z.]+)", line)
        assert pin, f"{kind}.txt: {line!r} is not an exact version"
        found[pin[1]] = pin[2]
    return found


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, check=True, capture_output=True, text=True)  # noqa: S607 -- the git of whoever runs the tests
    return [name for name in listed.stdout.split("\0") if name and (HOUSE / name).exists()]


def text_of(name: str) -> str:
    """A tracked file's text; binary fixtures hold none."""
    try:
        return (HOUSE / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_requirements_answer_every_wanted_one(kind: str) -> None:
    pinned = pins(kind)
    for requirement in wanted(kind):
        assert requirement.specifier.contains(pinned[requirement.name], prereleases=True), requirement.name


def test_development_runs_on_the_versions_that_the_app_runs_on() -> None:
    assert pins("requirements").items() <= pins("requirements-development").items()


def test_python_version_is_the_one_that_the_project_requires() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    version = (HOUSE / ".python-version").read_text().strip()
    assert project["project"]["requires-python"] == f">={version}"
    assert project["tool"]["mypy"]["python_version"] == version
    assert project["tool"]["ruff"]["target-version"] == f"py{version.replace('.', '')}"


def test_readme_names_only_targets_and_files_that_exist() -> None:
    readme = (HOUSE / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", readme)) <= targets
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", readme):
        assert (HOUSE / link).exists(), link


def test_no_tracked_file_is_tied_to_one_machine() -> None:
    tied = re.compile(
        r"^\s*(?:--(?:extra-)?index-url|--find-links|registry\s*=)"  # where one machine's packages come from
        r'|"resolved"\s*:'  # a lock file's note of the same
        r"|(?<![\w.:])/(?:home|root|Users)/\w"  # somebody's home
        rf"|{re.escape(str(HOUSE))}(?![\w-])",  # this very checkout
        re.MULTILINE,
    )
    found = {name: match[0] for name in tracked() if (match := tied.search(text_of(name)))}
    assert found == {}
