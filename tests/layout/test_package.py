"""What is uploaded to Azure Functions: built, unpacked elsewhere, and indexed by the worker's runtime on its own."""

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.package_app import APP, LIBRARIES, app_files, ignored
from tests.layout.project import PROJECT, pins, text_of, tracked

INDEX = """
import asyncio, json, sys
from pathlib import Path
app, runtime, libraries = map(Path, sys.argv[1:])
sys.path[:0] = [str(app), str(libraries), str(runtime)]
from worker import Worker
worker = Worker(app)
asyncio.run(worker.start())
files = {str(module.__file__) for module in sys.modules.values() if getattr(module, "__file__", None)}
functions = {each.name: each.bindings for each in worker.functions.values()}
print(json.dumps({"functions": functions, "files": sorted(files)}))
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("package") / "app"
    command = [sys.executable, "scripts/package_app.py", ".tools/uv/bin/uv", str(built)]
    subprocess.run(command, cwd=PROJECT, check=True)  # noqa: S603 - the script under test
    shutil.rmtree(built)
    return built.with_suffix(".zip")


def indexed(app: Path, runtime: Path, libraries: Path) -> Any:
    """Index an app in a process that finds nothing else than the folders given and Python's own library."""
    command = [sys.executable, "-I", "-S", "-c", INDEX, str(app), str(runtime), str(libraries)]
    result = subprocess.run(command, cwd="/", check=False, capture_output=True, text=True)  # noqa: S603 - our own text
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_the_package_indexes_on_its_own_as_the_checkout_does(archive: Path, tmp_path: Path) -> None:
    app, runtime = tmp_path / "app", tmp_path / "runtime"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(app)
    installed = Path(sysconfig.get_path("purelib"))
    for name in ("azure_functions_runtime", "azurefunctions"):
        shutil.copytree(installed / name, runtime / name)
    shutil.copyfile(PROJECT / "tests/hosting/worker.py", runtime / "worker.py")
    found = indexed(app, runtime, app / LIBRARIES)
    own = (str(tmp_path), sysconfig.get_path("stdlib"), sysconfig.get_config_var("base"))
    assert [name for name in found["files"] if not name.startswith(own)] == []
    assert len(found["functions"]) > 100
    assert found["functions"] == indexed(PROJECT, runtime, installed)["functions"]


def test_the_package_holds_the_app_and_its_libraries_and_nothing_else(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if not name.startswith(".python_packages/")]
        libraries = {name.split("/")[3] for name in packed.namelist() if name.startswith(f"{LIBRARIES}/")}
    wanted = {name for name in tracked() if name.split("/")[0] in APP}
    assert set(names) == wanted
    found = {name.removesuffix(".dist-info") for name in libraries if name.endswith(".dist-info")}
    assert {tuple(name.replace("_", "-").lower().rsplit("-", 1)) for name in found} == set(
        pins("requirements-azure").items()
    )


def test_wheels_are_for_the_platform(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        wheels = [packed.read(name).decode() for name in packed.namelist() if name.endswith(".dist-info/WHEEL")]
        compiled = [name for name in packed.namelist() if name.endswith((".so", ".pyd", ".dylib"))]
    tags = {line.removeprefix("Tag: ") for text in wheels for line in text.splitlines() if line.startswith("Tag: ")}
    platforms = {tag.rsplit("-", 1)[1] for tag in tags}
    assert {each for each in platforms if each != "any" and not each.startswith(("manylinux", "linux_x86_64"))} == set()
    assert compiled
    assert [name for name in compiled if "x86_64" not in name and "abi3" not in name] == []


def test_what_is_neither_the_app_nor_left_out_is_refused(tmp_path: Path) -> None:
    patterns = ignored(text_of(".funcignore"))
    for name in ("host.json", "notes.md", "my-keys.json", "local.settings.json", ".env", "backup/a.md", "tests/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert set(app_files(tmp_path, patterns)) == {"host.json", "my-keys.json", "backup/a.md"}
    assert {name.split("/")[0] for name in app_files(tmp_path, patterns)} - APP == {"my-keys.json"}
