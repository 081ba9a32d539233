"""Pinned versions agree, and no file is tied to one machine."""

import re
import tomllib

import pytest

from tests.layout.project import PROJECT, pins, text_of, tracked, wanted

KINDS = ["requirements", "requirements-development", "requirements-azure"]


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_requirements_answer_every_wanted_one(kind: str) -> None:
    pinned = pins(kind)
    for requirement in wanted(kind):
        assert requirement.specifier.contains(pinned[requirement.name], prereleases=True), requirement.name


def test_development_runs_on_the_versions_that_the_app_runs_on() -> None:
    assert pins("requirements").items() <= pins("requirements-development").items()


def test_azure_runs_on_the_versions_that_the_app_is_tested_with() -> None:
    azure, app = pins("requirements-azure"), pins("requirements")
    other = {name: (version, azure[name]) for name, version in app.items() if azure[name] != version}
    assert {name for name in other if not name.startswith("opentelemetry-")} == set()
    minor = re.compile(r"\d+\.\d+")
    for name, (here, there) in other.items():
        assert minor.findall(here)[:1] == minor.findall(there)[:1], name


def test_python_version_is_the_one_that_the_project_requires() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    version = (PROJECT / ".python-version").read_text().strip()
    assert project["project"]["requires-python"] == f">={version}"
    assert project["tool"]["mypy"]["python_version"] == version
    assert project["tool"]["ruff"]["target-version"] == f"py{version.replace('.', '')}"


def test_no_tracked_file_is_tied_to_one_machine() -> None:
    tied = re.compile(
        r"^\s*(?:--(?:extra-)?index-url|--find-links|registry\s*=)"  # where one machine's packages come from
        r'|"resolved"\s*:'  # a lock file's note of the same
        r"|(?<![\w.:])/(?:home|root|Users)/\w"  # somebody's home
        rf"|{re.escape(str(PROJECT))}(?![\w-])",  # this very checkout
        re.MULTILINE,
    )
    found = {name: match[0] for name in tracked() if (match := tied.search(text_of(name)))}
    assert found == {}
