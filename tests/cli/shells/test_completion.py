import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from indexvault.cli.commands.completion import SCRIPTS
from indexvault.cli.shells.arguments import common_options, values, verbs
from indexvault.cli.shells.names import names
from indexvault.cli.verbs import VERBS
from indexvault.settings.load import read_settings
from tests.cli.shells.shell import Shell, open_shell
from tests.cli.terminal import Terminal

SETTINGS: dict[str, Any] = {
    "stores": {
        "near": {"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"},
        "far": {"account_url": "https://contosowest.blob.core.windows.net", "region": "westus"},
    },
    "services": {
        name: {"endpoint": f"https://{name}.search.windows.net", "region": "eastus", "tier": "basic", "store": "near"}
        for name in ("contoso-east", "contoso-west")
    },
    "policies": {
        "nightly": {
            "service": "contoso-east",
            "indexes": ["hotels", "rooms-*", "!hotels-old"],
            "schedule": "0 0 2 * * *",
        }
    },
    "overlays": {"western": {}},
}
BEFORE_THE_END = "\x1b*"
"""Readline's insert-completions: all of them, where Tab would only ring for several."""

CASES = [
    ("indexvault rep", ["repair", "replicate"]),
    ("indexvault --quiet snap", ["snapshots"]),
    ("indexvault restore --acc", ["--accept-loss", "--accept-unauthentic", "--accept-unsettled"]),
    ("indexvault --log", ["--log-level"]),
    ("indexvault restore --mode s", ["sync"]),
    ("indexvault init --cloud us", ["usgovernment"]),
    ("indexvault completion ", ["bash", "fish", "zsh"]),
    ("indexvault backup con", ["contoso-east", "contoso-east/hotels", "contoso-west"]),
    ("indexvault backup --parallel 3 contoso-east/", ["contoso-east/hotels"]),
    ("indexvault show contoso-east/hotels@l", ["contoso-east/hotels@latest"]),
    ("indexvault pin contoso-east/hotels@", ["contoso-east/hotels@latest"]),
    ("indexvault restore contoso-east/hotels@latest --to contoso-w", ["contoso-west"]),
    ("indexvault restore contoso-east/hotels@latest --overlay ", ["western"]),
    ("indexvault verify contoso-east --store ", ["far", "near"]),
    ("indexvault import plain", ["plain-files"]),
    ("indexvault restore x --patch patch", ["patch.json"]),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, a file and a folder."""
    made = tmp_path_factory.mktemp("completion")
    (made / "indexvault.json").write_text(json.dumps(SETTINGS))
    (made / "indexvault.json").chmod(0o600)
    (made / "patch.json").write_text("{}")
    (made / "plain-files").mkdir()
    for shell in SCRIPTS:
        (made / f"script.{shell}").write_text(SCRIPTS[shell](verbs()))
    return made


@pytest.fixture(scope="module")
def bash(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with open_shell(["bash", "--norc", "--noprofile", "-i"], {"PS1": ""}, tmp_path_factory.mktemp("bash")) as shell:
        shell.run("bind 'set enable-bracketed-paste off'")
        shell.run(f"cd {folder}; source script.bash")
        yield shell


@pytest.mark.parametrize(("line", "completed"), CASES)
def test_bash_completes(bash: Shell, line: str, completed: list[str]) -> None:
    before = line.rpartition(" ")[0].split()
    words = bash.complete(line, BEFORE_THE_END)
    assert words[: len(before)] == before
    assert sorted(word.rstrip("/") for word in words[len(before) :]) == completed


def test_bash_finds_the_names_of_the_settings_that_the_line_names(bash: Shell, folder: Path) -> None:
    others = {"stores": {"third": SETTINGS["stores"]["near"]}, "services": {}}
    (folder / "others.json").write_text(json.dumps(others))
    assert bash.complete("indexvault --config others.json records ", BEFORE_THE_END)[4:] == ["third"]


def test_without_settings_bash_completes_no_name_and_says_nothing(bash: Shell) -> None:
    words = bash.complete("indexvault --config nothing.json records ", BEFORE_THE_END)
    assert words == ["indexvault", "--config", "nothing.json", "records"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="this machine has no zsh")
@pytest.mark.parametrize(("line", "completed"), [case for case in CASES if len(case[1]) == 1])
def test_zsh_completes(zsh: Shell, line: str, completed: list[str]) -> None:
    before = line.rpartition(" ")[0].split()
    words = zsh.complete(line, "\t")
    assert [word.rstrip("/") for word in words] == [*before, *completed]


@pytest.fixture(scope="module")
def zsh(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with ExitStack() as stack:
        shell = stack.enter_context(
            open_shell(["zsh", "-f", "-i"], {"PS1": "", "PROMPT": "", "RPS1": ""}, tmp_path_factory.mktemp("zsh"))
        )
        shell.run("unsetopt zle_bracketed_paste prompt_sp prompt_cr; unset zle_bracketed_paste; bindkey -e")
        shell.run(f"autoload -Uz compinit; compinit -u -D; cd {folder}; source script.zsh")
        yield shell


@pytest.mark.skipif(shutil.which("fish") is None, reason="this machine has no fish")
@pytest.mark.parametrize(("line", "completed"), CASES)
def test_fish_completes(folder: Path, tmp_path: Path, line: str, completed: list[str]) -> None:
    with open_shell(["true"], {}, tmp_path):
        pass
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    program = f"set -x PATH {tmp_path}/bin $PATH; source script.fish; complete -C '{line}'"
    done = subprocess.run(  # noqa: S603 - a shell on this machine
        [str(shutil.which("fish")), "--no-config", "-c", program],
        cwd=folder, capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert sorted(found.partition("\t")[0].rstrip("/") for found in done.stdout.splitlines()) == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_every_verb_and_option(terminal: Terminal, shell: str) -> None:
    result = terminal.indexvault("completion", shell, INDEXVAULT_CONFIG="")
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout == SCRIPTS[shell](verbs())
    dashes = "-l " if shell == "fish" else "--"
    for verb in verbs():
        assert re.search(rf"\b{verb.name}\b", result.stdout)
        assert [each.flag for each in verb.options if f"{dashes}{each.flag[2:]}" not in result.stdout] == []


def test_every_verb_is_described_with_its_places() -> None:
    every = verbs()
    assert [verb.name for verb in every] == list(VERBS)
    assert {each.flag for each in common_options(every)} == {
        *("--help", "--json", "--quiet", "--log-level", "--config", "--url", "--key"),
    }
    found = values(every)
    assert found["backup 1"].kind == "places"
    assert found["backup *"].kind == "nothing"
    assert found["export 2"].kind == "folders"
    assert found["restore --mode"].choices == ("create", "replace", "sync", "fill")


def test_what_names_a_place_or_a_file_is_known_as_such() -> None:
    """A new metavar that nobody has thought of would complete nothing."""
    free = {value.name for value in values(verbs()).values() if value.kind == "nothing"}
    assert [name for name in free if re.search("SERVICE|SNAPSHOT|STORE|FILE|FOLDER|DIR|^PATH$", name)] == []


def test_names_are_those_of_the_settings() -> None:
    settings = read_settings(json.dumps(SETTINGS))
    assert names(settings, "services") == ["contoso-east", "contoso-west"]
    assert names(settings, "places") == ["contoso-east", "contoso-east/hotels", "contoso-west"]
    assert names(settings, "snapshots") == ["contoso-east/hotels@latest", "contoso-west/"]
    assert names(settings, "stores") == ["far", "near"]
    assert names(settings, "overlays") == ["western"]


def test_a_deployment_is_not_asked_for_a_script(terminal: Terminal) -> None:
    result = terminal.indexvault("completion", "fish", "--url", "http://127.0.0.1:1")
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.startswith("# Completes indexvault in fish")
