"""What a service holds, written down by tools that are not ours: plain HTTP, sorted lines, `sha256sum` and `diff`."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

API_VERSION = "2026-04-01"
_PAGE = 1000


def ask(endpoint: str, key: str, method: str, path: str, body: Any = None, *, seconds: float = 30.0) -> Any:
    """Send one request and return its JSON, None if it has no content. Raises OSError for whatever goes wrong."""
    request = urllib.request.Request(  # noqa: S310 - an emulator on loopback
        f"{endpoint}{path}{'&' if '?' in path else '?'}api-version={API_VERSION}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"api-key": key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - the same
        text = answer.read()
    return json.loads(text) if text else None


def documents(endpoint: str, key: str, index: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of an index by key, without what a search adds to them."""
    last: str | None = None
    while True:
        query: dict[str, Any] = {"search": "*", "orderby": "id", "top": _PAGE}
        if last is not None:
            query["filter"] = f"id gt '{last}'"
        page = ask(endpoint, key, "POST", f"/indexes('{index}')/docs/search.post.search", query)["value"]
        for each in page:
            yield {name: value for name, value in each.items() if not name.startswith("@")}
        if len(page) < _PAGE:
            return
        last = page[-1]["id"]


def content(endpoint: str, key: str, index: str) -> dict[str, dict[str, Any]]:
    """Return the documents of an index by their keys."""
    return {each["id"]: each for each in documents(endpoint, key, index)}


def dump(endpoint: str, key: str, index: str, file: Path) -> str:
    """Write a service's definitions and an index's documents to a file, and return its hash as `sha256sum` has it."""
    lines = [json.dumps(each, sort_keys=True) for each in definitions(endpoint, key)]
    lines += sorted(json.dumps(each, sort_keys=True) for each in documents(endpoint, key, index))
    file.write_text("\n".join(lines) + "\n")
    said = subprocess.run(["sha256sum", str(file)], check=True, capture_output=True, text=True)  # noqa: S603, S607
    return said.stdout.split()[0]


def definitions(endpoint: str, key: str) -> Iterator[dict[str, Any]]:
    """Yield the definitions of a service's indexes, synonym maps and aliases, without their ETags."""
    for kind in ("synonymmaps", "indexes", "aliases"):
        found = ask(endpoint, key, "GET", f"/{kind}")["value"]
        for each in sorted(found, key=lambda one: one["name"]):
            yield {"kind": kind} | {name: value for name, value in each.items() if not name.startswith("@")}


def difference(one: Path, other: Path) -> list[str]:
    """Return the lines that `diff` prints."""
    said = subprocess.run(["diff", str(one), str(other)], check=False, capture_output=True, text=True)  # noqa: S603, S607
    return said.stdout.splitlines()


def control(endpoint: str, method: str, path: str) -> Any:
    """Ask the emulator about itself."""
    request = urllib.request.Request(f"{endpoint}/$emulator{path}", method=method)  # noqa: S310 - on loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        text = answer.read()
    return json.loads(text) if text else None
