"""Write docs/licences.md: the licence of each library that the app runs on, by its own metadata.

scripts/licences.py requirements.txt docs/licences.md
"""

import re
import sys
from email.message import Message
from importlib.metadata import metadata
from pathlib import Path
from typing import cast

_LONGEST = 60
_CLASSIFIER = "License :: "
_HEAD = """# Licences

What the app and the wheel run on, and the licence that each states. `make requirements` writes this page.

| library | version | licence |
|-|-|-|
"""


def main(pins: str, page: str) -> None:
    """Write a page with a row for each version in a file of pins."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", Path(pins).read_text(encoding="utf-8"), re.MULTILINE)
    rows = [f"| {name} | {version} | {licence_of(cast('Message', metadata(name)))} |\n" for name, version in found]
    Path(page).write_text(_HEAD + "".join(rows), encoding="utf-8")


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
