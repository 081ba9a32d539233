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

from scripts.package_app import APP, LIBRARIES, app_files, fits, ignored
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

TELEMETRY = """
import gzip, json, logging, os, sys, threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
sys.path[:0] = sys.argv[1:]
sent = []
class Ingestion(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        items = json.loads(body) if body.startswith(b"[") else [json.loads(line) for line in body.splitlines()]
        sent.extend(item["data"] for item in items if "data" in item)
        answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Ingestion)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = f"http://127.0.0.1:{server.server_port}/"
os.environ["APPLICATIONINSIGHTS_CONNECTION_STRING"] = (
    f"InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint={here};LiveEndpoint={here}"
)
os.environ["APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"] = "true"
os.environ["AZURE_TRACING_ENABLED"] = "false"
from azure_functions_runtime.otel import initialize_azure_monitor
initialize_azure_monitor()
from opentelemetry import _logs, metrics, trace
import function_app
from indexvault.workflow import telemetry
from indexvault.workflow.runs import RunRecord
now = datetime.now(UTC)
telemetry.note_snapshot("contoso-east", "hotels", now - timedelta(hours=30), lambda: now)
record = RunRecord(
    run="r1", kind="backup", workflow="run_backup", service="contoso-east", asked="a", owner="o",
    created=now, started=now, finished=now, state="failed",
)
telemetry.run_ended(record, now)
logging.getLogger("backup.blueprint").error("damage")
logging.getLogger("indexvault.snapshots.signed_records").warning("tampering: %s", "x")
for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
    provider.force_flush()
print(json.dumps(sent))
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("package") / "app"
    command = [sys.executable, "scripts/package_app.py", ".tools/uv/bin/uv", str(built)]
    subprocess.run(command, cwd=PROJECT, check=True)  # noqa: S603 - the script under test
    shutil.rmtree(built)
    return built.with_suffix(".zip")


@pytest.fixture(scope="module")
def app(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, unpacked where nothing else is."""
    folder = tmp_path_factory.mktemp("elsewhere") / "app"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the platform brings: the worker's runtime, without the libraries of this environment."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in ("azure_functions_runtime", "azurefunctions"):
        shutil.copytree(Path(sysconfig.get_path("purelib")) / name, folder / name)
    shutil.copyfile(PROJECT / "tests/hosting/worker.py", folder / "worker.py")
    return folder


def indexed(app: Path, runtime: Path, libraries: Path) -> Any:
    """Index an app in a process that finds nothing else than the folders given and Python's own library."""
    command = [sys.executable, "-I", "-S", "-c", INDEX, str(app), str(runtime), str(libraries)]
    result = subprocess.run(command, cwd="/", check=False, capture_output=True, text=True)  # noqa: S603 - our own text
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_the_package_indexes_on_its_own_as_the_checkout_does(app: Path, runtime: Path) -> None:
    found = indexed(app, runtime, app / LIBRARIES)
    own = (str(app), str(runtime), sysconfig.get_path("stdlib"), sysconfig.get_config_var("base"))
    assert [name for name in found["files"] if not name.startswith(own)] == []
    assert len(found["functions"]) > 100
    assert found["functions"] == indexed(PROJECT, runtime, Path(sysconfig.get_path("purelib")))["functions"]


def test_the_package_sends_what_the_alert_rules_ask_for(app: Path, runtime: Path) -> None:
    """By the worker's own set-up, to a stand-in for Application Insights. The columns are those of the workspace."""
    command = [sys.executable, "-I", "-S", "-c", TELEMETRY, str(app), str(app / LIBRARIES), str(runtime)]
    result = subprocess.run(command, cwd="/", check=False, capture_output=True, text=True)  # noqa: S603 - our own text
    assert result.returncode == 0, result.stderr
    sent = [(each["baseType"], each["baseData"]) for each in json.loads(result.stdout.splitlines()[-1])]

    # AppMetrics: Name, Sum, Properties
    ages = [
        data for kind, data in sent if kind == "MetricData" and data["metrics"][0]["name"] == "indexvault.snapshot.age"
    ]
    assert [(data["metrics"][0]["value"], data["metrics"][0]["count"]) for data in ages] == [(108_000.0, 1)]
    assert ages[0]["properties"] == {"indexvault.service": "contoso-east", "indexvault.index": "hotels"}
    # AppDependencies: Name, Properties
    (run,) = [data for kind, data in sent if kind == "RemoteDependencyData"]
    assert (run["name"], run["properties"]["indexvault.state"]) == ("run_backup", "failed")
    assert run["properties"]["indexvault.run"] == "r1"
    # AppTraces: Message, SeverityLevel
    entries = {data["message"]: data["severityLevel"] for kind, data in sent if kind == "MessageData"}
    assert entries["damage"] == 3
    assert entries["tampering: x"] == 2


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


def test_no_pattern_leaves_out_a_part_of_the_package(archive: Path) -> None:
    """azd holds the patterns against the package once more."""
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
    parts = {(each[: each.rfind("/", 0, -1) + 1], each.rpartition("/")[2]) for each in names}
    for name in names:
        above = name.split("/")[:-1]
        parts |= {("".join(f"{part}/" for part in above[:depth]), f"{above[depth]}/") for depth in range(len(above))}
    patterns = ignored(text_of(".funcignore"))
    assert [each for each in sorted(parts) if any(fits(pattern, *each) for pattern in patterns)] == []


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
