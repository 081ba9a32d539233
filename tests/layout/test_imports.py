"""Directions of imports that import-linter can't name: libraries' subpackages, and who may use which library."""

import ast
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.layout.project import PROJECT, pins, tracked

PRODUCT = [
    name
    for name in tracked()
    if name.endswith(".py") and (name.split("/")[0] in {"indexvault", "backup", "restore", "function_app.py"})
]
FUNCTIONS_EDGE = (
    "function_app.py",
    "backup/",
    "restore/",
    "indexvault/api/",
    "indexvault/pages/functions.py",
    "indexvault/workflow/functions_host.py",
)
"""Where Azure Functions is known: the app, its blueprints, what all endpoints share, and the host of workflows."""


def imported(name: str) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it, each with the names that it takes from it."""
    for node in ast.walk(ast.parse((PROJECT / name).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("library", ["azure.functions", "azure.durable_functions"])
def test_only_the_edge_knows_azure_functions(library: str) -> None:
    users = {name for name in PRODUCT if any(f"{module}.".startswith(f"{library}.") for module in imported(name))}
    assert users, f"nothing imports {library}: is this still its name?"
    assert {name for name in users if not name.startswith(FUNCTIONS_EDGE)} == set()


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        (
            "aiohttp",
            (
                "indexvault/cli/local_site.py",
                "indexvault/cli/remote/",
                "indexvault/search/connections.py",
                "indexvault/snapshots/azure_connections.py",
                "indexvault/status/posting.py",
            ),
        ),
        ("azure.search", ("indexvault/search/",)),
        ("azure.storage", ("indexvault/snapshots/azure_",)),
        ("azure.identity", ("indexvault/clients.py",)),
        ("rich", ("indexvault/cli/",)),
    ],
)
def test_a_library_is_known_in_its_room_only(library: str, rooms: tuple[str, ...]) -> None:
    users = {name for name in PRODUCT if any(f"{module}.".startswith(f"{library}.") for module in imported(name))}
    assert users, f"nothing imports {library}: is this still its name?"
    assert {name for name in users if not name.startswith(rooms)} == set()


def test_the_app_imports_only_libraries_that_are_pinned_for_it() -> None:
    distributions = packages_distributions()
    pinned = set(pins("requirements"))
    missing = {
        (name, module)
        for name in PRODUCT
        for module in imported(name)
        for package in [module.split(".")[0]]
        if package in distributions
        and "indexvault" not in distributions[package]
        and pinned.isdisjoint(found.lower().replace("_", "-") for found in distributions[package])
    }
    assert missing == set()
