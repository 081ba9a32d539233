"""The live checks against the emulator and Azurite: whole runs, and runs that crash or are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from live.table import ASSUMPTIONS, estimate
from tests.cli.terminal import ADMIN_KEY, Terminal, open_terminal

PROJECT = Path(__file__).parents[2]
DOCUMENTS = 60
PREFIX = "indexvault-live-"
TOOL = {"backup", "restore", "drill", "move"}


@pytest.fixture(scope="module")
def terminal(azurite: Any) -> Iterator[Terminal]:
    with open_terminal(azurite.new_account()) as opened:
        opened.east.put("indexes/precious", {"name": "precious", "fields": [KEY]})
        opened.east.put(f"indexes/{PREFIX}not-theirs", {"name": f"{PREFIX}not-theirs", "fields": [KEY]})
        yield opened


KEY = {"name": "id", "type": "Edm.String", "key": True}
FOREIGN = {"precious", f"{PREFIX}not-theirs"}


def start(terminal: Terminal, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = ["--endpoint", terminal.east.endpoint, "--store", "env:LIVE_STORE", "--folder", str(folder), *arguments]
    return subprocess.Popen(  # noqa: S603 - the command under test
        [sys.executable, "-m", "live", *command],
        cwd=PROJECT,
        env={
            **os.environ,
            "SEARCH_API_KEY": ADMIN_KEY,
            "LIVE_STORE": terminal.connection_string,
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def live(terminal: Terminal, folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the checks to their end; return the exit code and all that was printed, which holds no secret."""
    process = start(terminal, folder, *arguments, **environment)
    stdout, stderr = process.communicate(timeout=300)
    printed = stdout + stderr
    assert ADMIN_KEY not in printed
    assert terminal.connection_string.partition("AccountKey=")[2].partition(";")[0] not in printed
    return process.returncode, printed


def blobs(terminal: Terminal) -> list[str]:
    with BlobServiceClient.from_connection_string(terminal.connection_string, api_version="2024-11-04") as account:
        return [
            blob.name
            for container in account.list_containers()
            for blob in account.get_container_client(container.name).list_blobs()
        ]


@pytest.fixture(scope="module")
def whole(terminal: Terminal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the report of a whole run."""
    folder = tmp_path_factory.mktemp("live")
    before = sum(terminal.east.requests.values())
    code, printed = live(terminal, folder, "--yes", "--documents", str(DOCUMENTS))
    (path,) = folder.glob("*/report.json")
    report: dict[str, Any] = json.loads(path.read_text())
    table = path.with_name("report.md").read_text()
    return report | {"code": code, "printed": printed, "table": table, "sent": before}


def test_every_check_comes_to_a_verdict(whole: dict[str, Any]) -> None:
    verdicts = {row["name"]: row["verdict"] for row in whole["rows"]}
    assert list(verdicts) == [each.name for each in ASSUMPTIONS if each.check is not None]
    assert {name for name, verdict in verdicts.items() if verdict == "skipped"} == {"full_storage"}
    wrong = {row["name"]: row["seen"] for row in whole["rows"] if row["verdict"] in {"otherwise", "crashed"}}
    assert wrong == {}
    assert {name: verdicts[name] for name in TOOL} == dict.fromkeys(TOOL, "as assumed")
    assert whole["code"] == 0, whole["printed"]


def test_the_report_is_one_table(whole: dict[str, Any]) -> None:
    lines = [line for line in whole["table"].splitlines() if line.startswith("|")]
    assert lines[0] == "| assumption | expected | seen | verdict |"
    assert len(lines) == 2 + len(whole["rows"])
    assert whole["table"] in whole["printed"]


def test_nothing_is_left_and_nothing_else_is_touched(whole: dict[str, Any], terminal: Terminal) -> None:
    assert whole["cleaned"]["kept"] == []
    assert set(terminal.east.indexes) == FOREIGN
    assert [name for name in blobs(terminal) if PREFIX in name or "backup-" in name or "restore-" in name] == []


def test_no_more_is_sent_than_was_said(whole: dict[str, Any], terminal: Terminal) -> None:
    said = estimate([each for each in ASSUMPTIONS if each.check is not None], DOCUMENTS)
    assert f"{said.requests:,} requests at most" in whole["printed"]
    assert whole["requests"] <= sum(terminal.east.requests.values()) - whole["sent"] <= said.requests


def test_it_does_not_begin_without_a_yes(terminal: Terminal, tmp_path: Path) -> None:
    writes = terminal.east.writes
    code, printed = live(terminal, tmp_path)
    assert code == 2
    assert "give --yes" in printed
    assert "named indexvault-live-" in printed
    assert terminal.east.writes == writes


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0", "holds a secret"),
        ("env:NOT_SET", "not set"),
        ("somewhere", "neither"),
    ],
)
def test_a_store_that_can_not_be_used_is_refused(terminal: Terminal, tmp_path: Path, store: str, told: str) -> None:
    code, printed = live(terminal, tmp_path, "--yes", "--store", store)
    assert code == 2
    assert told in printed
    assert "c2VjcmV0" not in printed


def test_a_short_prefix_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    code, printed = live(terminal, tmp_path, "--yes", "--prefix", "pre")
    assert (code, "prefix" in printed) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_removes_what_it_has_made(
    terminal: Terminal, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(terminal, tmp_path, "--yes", "--documents", str(DOCUMENTS))
    await_index(terminal, process)
    process.send_signal(number)
    _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "removed" in stderr
    assert set(terminal.east.indexes) == FOREIGN


def test_what_a_killed_run_has_left_is_removed_later(terminal: Terminal, tmp_path: Path) -> None:
    process = start(terminal, tmp_path, "--yes", "--documents", str(DOCUMENTS))
    made = await_index(terminal, process)
    process.kill()
    process.communicate(timeout=60)
    assert made in terminal.east.indexes
    code, printed = live(terminal, tmp_path, "--clean")
    assert code == 1
    assert "removed 1 indexes" in printed
    assert f"kept {PREFIX}not-theirs" in printed
    assert set(terminal.east.indexes) == FOREIGN


def await_index(terminal: Terminal, process: subprocess.Popen[str]) -> str:
    """Wait until a run has made an index, then let its next request wait; return the index's name."""
    terminal.east.faults({"fault": "latency", "operation": "index_documents", "seconds": 5.0, "times": 1})
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        found = [name for name in terminal.east.indexes if name.startswith(PREFIX) and name.endswith("-members")]
        if found:
            terminal.east.faults()
            return found[0]
        time.sleep(0.02)
