"""The pages name files, rooms and modules as they are."""

import re

import pytest

from tests.layout.project import PROJECT, text_of, tracked

FILES = tracked()
PAGES = [name for name in FILES if re.fullmatch(r"[A-Z]+\.md|docs/[\w-]+\.md|emulator/README\.md", name)]
ROOTS = ("", "indexvault/")
"""Where pages may count a path from: the project, or the package."""


def exists(path: str) -> bool:
    return any((PROJECT / root / path).exists() for root in ROOTS)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text_of(page)):
        assert (PROJECT / page).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_folders_exist(page: str) -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", text_of(page))
    assert [path for path in named if not exists(path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text_of(page), re.MULTILINE)
    assert set(named) <= targets


def test_every_room_is_in_the_table_of_rooms() -> None:
    table = text_of("docs/ARCHITECTURE.md").partition("## Rooms")[2].partition("##")[0]
    rooms = {"/".join(name.split("/")[:2]) for name in FILES if name.startswith("indexvault/") and name.endswith(".py")}
    missing = [room for room in rooms if f"`{room}" not in table and not re.search(r"__\w+__|version", room)]
    assert missing == []


def test_every_word_of_the_glossary_is_explained_once() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \|$", text_of("docs/ARCHITECTURE.md").partition("## Glossary")[2], re.MULTILINE
    )
    words = [word.strip() for row in rows for word in row.split(",")]
    assert len(words) == len(set(words)) > 50


def test_every_test_that_the_page_on_security_names_exists() -> None:
    """A claim is as good as its test."""
    named = set(
        re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py|tests/[\w/]+\.py)(?:::(\w+))?`", text_of("docs/security.md"))
    )
    assert len(named) > 20
    for path, test in sorted(named):
        files = [name for name in FILES if name == path or ("/" not in path and name.endswith(f"/{path}"))]
        assert files, path
        assert not test or any(f"def {test}(" in text_of(name) for name in files), test


def test_every_threat_names_tests_or_is_you() -> None:
    rows = text_of("docs/security.md").partition("## Who can do what")[2].partition("\n## ")[0].splitlines()
    threats = [line for line in rows if line.startswith("| ") and not line.startswith("| who has")]
    assert len(threats) == 8
    assert [line for line in threats if "`tests/" not in line and "that is you" not in line] == []
