"""Build what is uploaded to Azure Functions: the app, and its libraries as wheels for the platform's Python.

scripts/package_app.py UV FOLDER

Writes FOLDER, and FOLDER.zip beside it. Nothing is built in Azure: its remote build takes another Python than the app
runs on. Source: issue 8538 of Azure/azure-dev, 2026-06.
"""

import fnmatch
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LIBRARIES = ".python_packages/lib/site-packages"
"""Where the worker looks for them. Source: Build options for Python function apps in Azure Functions, 2026-09."""
PLATFORM = "x86_64-manylinux_2_28"
APP = {"function_app.py", "host.json", "backup", "indexvault", "restore"}
"""What may be in the package, at the root. Anything else may be somebody's notes or settings."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def main(uv: str, folder: Path) -> None:
    """Build the package in an empty folder, and pack it."""
    files = sorted(app_files(PROJECT, ignored((PROJECT / ".funcignore").read_text(encoding="utf-8"))))
    if strangers := {name.partition("/")[0] for name in files} - APP:
        sys.exit(f"These are no part of the app: {', '.join(sorted(strangers))}. Name them in .funcignore.")
    shutil.rmtree(folder, ignore_errors=True)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, folder / name)
    install(uv, folder / LIBRARIES)
    pack(folder, folder.with_suffix(".zip"))


def ignored(text: str) -> list[str]:
    """Return the patterns of a .funcignore."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def app_files(root: Path, patterns: list[str], folder: str = "") -> Iterator[str]:
    """Return the paths below `root` of files that no pattern leaves out, and no hidden ones of `root` itself.

    A pattern with a slash in front is bound to `root`, one with a slash at its end means folders.
    """
    for path in (root / folder).iterdir():
        named = f"{path.name}/" if path.is_dir() else path.name
        hidden = not folder and path.name.startswith(".")
        if hidden or any(fits(each, folder, named) for each in patterns):
            continue
        if path.is_dir():
            yield from app_files(root, patterns, f"{folder}{named}")
        else:
            yield f"{folder}{named}"


def fits(pattern: str, folder: str, named: str) -> bool:
    """Tell whether a pattern leaves out what is named so in a folder. A folder's name ends with a slash."""
    if pattern.startswith("/") and folder:
        return False
    pattern = pattern.removeprefix("/")
    return fnmatch.fnmatchcase(named if pattern.endswith("/") else named.removesuffix("/"), pattern)


def install(uv: str, target: Path) -> None:
    """Install the libraries by their hashes, as wheels alone: nothing is compiled on this machine."""
    version = (PROJECT / ".python-version").read_text(encoding="utf-8").strip()
    command = [uv, "pip", "install", "--quiet", "--target", str(target), "--python", sys.executable]
    command += [
        "--python-version",
        version,
        "--python-platform",
        PLATFORM,
        "--only-binary",
        ":all:",
        "--link-mode",
        "copy",
    ]
    command += ["--require-hashes", "--no-deps", "--requirement", str(PROJECT / "requirements-azure.txt")]
    subprocess.run(command, check=True)  # noqa: S603 - the project's own uv
    for left in ("bin", ".lock"):  # scripts with this machine's paths in them, and uv's lock
        shutil.rmtree(target / left, ignore_errors=True)
        (target / left).unlink(missing_ok=True)


def pack(folder: Path, archive: Path) -> None:
    """Write a zip of a folder's content. The same content gives the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
                entry.external_attr = _READABLE
                entry.compress_type = zipfile.ZIP_DEFLATED
                written.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
