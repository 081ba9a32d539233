"""The demo as a process: it runs its steps, leaves files to look at, and never a server."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LONGEST = 300.0


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the command under test
        [sys.executable, "-m", "demo", *arguments, "--folder", str(folder)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def servers(folder: Path) -> list[str]:
    """Return the command lines of running processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"{folder}/" in command:
            found.append(command)
    return found


def await_file(path: Path) -> None:
    deadline = time.monotonic() + LONGEST
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.05)


@pytest.mark.slow  # starts many processes
def test_story_is_told_and_what_it_left_can_be_served_again(tmp_path: Path) -> None:
    process = start(tmp_path, "--documents", "1500")
    said, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, said
    assert said.count("$ indexvault ") == 8
    assert "1,500 documents read back and compared with the snapshot: 1,500 the same to the byte" in said
    assert "added no chunk: all were stored already" in said
    assert servers(tmp_path) == []

    chunk = min((tmp_path / "search-snapshots/contoso-east/hotels/chunks").iterdir())
    assert json.loads(gzip.decompress(chunk.read_bytes()).splitlines()[0])["HotelId"].startswith("hotel-")

    serving = start(tmp_path, "serve")
    assert serving.stdout is not None
    while "Control-C ends them" not in serving.stdout.readline():
        assert serving.poll() is None
    variables = dict(re.findall(r"^export (\w+)='?(.*?)'?$", (tmp_path / "environment").read_text(), re.MULTILINE))
    listed = subprocess.run(
        [sys.executable, "-m", "indexvault", "snapshots", "--json"],
        cwd=PROJECT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line)["documents"] for line in listed.stdout.splitlines()] == [1500, 1500]
    serving.send_signal(signal.SIGINT)
    serving.communicate(timeout=LONGEST)
    assert serving.returncode == 130
    assert servers(tmp_path) == []


@pytest.mark.slow  # starts many processes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_the_middle_leaves_no_server_behind(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "--documents", "1000000")
    await_file(tmp_path / "environment")
    assert servers(tmp_path) != []
    busy = start(tmp_path)
    assert "a demo is at work" in busy.communicate(timeout=LONGEST)[0]
    process.send_signal(number)
    said, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert said.endswith("demo: stopped; nothing of it is running any more\n")
    assert servers(tmp_path) == []


def test_nothing_to_serve_is_said(tmp_path: Path) -> None:
    process = start(tmp_path, "serve")
    assert "run `make demo` first" in process.communicate(timeout=LONGEST)[0]
    assert process.returncode == 1
