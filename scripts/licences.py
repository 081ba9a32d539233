"""Write docs/licences.md: the licence of each library that the app runs on, by its own metadata.

scripts/licences.py docs/licences.md requirements.txt requirements-azure.txt SITE-PACKAGES

SITE-PACKAGES is that of the package for Azure, which holds libraries that are not installed here.
"""

import re
import sys
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from typing import cast

_LONGEST = 60
_CLASSIFIER = "License :: "
_HEAD = """# Licences

What the app and the wheel run on, and the licence that each states. `make requirements` writes this page.

| library | version | licence |
|-|-|-|
"""
_ONLY_AZURE = """
Only in the package for Azure, for Application Insights. Its releases of OpenTelemetry may be older than those above.

| library | version | licence |
|-|-|-|
"""


def main(page: str, pins: str, azure_pins: str, site_packages: str) -> None:
    """Write a page with a row for each version in a file of pins, and for what only the package for Azure holds."""
    versions = pinned(pins)
    only_azure = {name: version for name, version in pinned(azure_pins).items() if name not in versions}
    Path(page).write_text(
        _HEAD + rows(versions, sys.path) + _ONLY_AZURE + rows(only_azure, [site_packages]), encoding="utf-8"
    )


def pinned(pins: str) -> dict[str, str]:
    """Return the versions in a file of pins by name."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", Path(pins).read_text(encoding="utf-8"), re.MULTILINE))


def rows(versions: dict[str, str], path: list[str]) -> str:
    """Return a row for each library, by the metadata found in the folders of `path`."""
    found = {re.sub(r"[-_.]+", "-", each.name).lower(): each.metadata for each in distributions(path=path)}
    return "".join(
        f"| {name} | {version} | {licence_of(cast('Message', found[name]))} |\n" for name, version in versions.items()
    )


def licence_of(found: Message) -> str:
    """Return the licence that a distribution states: as an expression, in a word or two, or by its classifiers."""
    expression = found.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [text for text in found.get_all("Classifier") or [] if text.startswith(_CLASSIFIER)]
    named = [text.rpartition(" :: ")[2] for text in classifiers if text != "License :: OSI Approved"]
    if named:
        return ", ".join(named)
    stated = " ".join(str(found.get("License") or "").split())
    return stated if 0 < len(stated) <= _LONGEST else "not stated"


if __name__ == "__main__":
    main(*sys.argv[1:])
