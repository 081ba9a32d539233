"""Where the commands of a page are run: two emulated services, two stores, a folder with settings."""

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emulator.service import EmulatedService
from indexvault.cli.remote import follow
from indexvault.restore import cut_over
from tests.azurite import Azurite
from tests.cli.in_process import run_in_process
from tests.cli.terminal import ADMIN_KEY, CommandResult, Service, emulator_on_a_thread
from tests.docs.shape import without_progress

PROJECT = Path(__file__).resolve().parents[2]
EAST, WEST, SMALL = "contoso-east", "contoso-west", "contoso-small"
LONGEST = 120.0

_BEYOND_US = re.compile(r"[|<>;&`]|\$\(|\$[A-Z?]")
_EXPORT = re.compile(r"^export (\w+)=(.*)$")
_PROGRAM = re.compile(r"^(?:\.venv/bin/)?indexvault(?= |$)")


@dataclass
class Desk:
    """Runs commands in a folder, in this process where they are ours alone, and keeps the variables they set."""

    folder: Path
    services: dict[str, Service]
    variables: dict[str, str]
    settings: dict[str, Any]
    stand_ins: dict[str, str]
    code: int = 0
    last_second: int = 0
    app: subprocess.Popen[str] | None = field(default=None, repr=False)

    def write_settings(self) -> None:
        (self.folder / "indexvault.json").write_text(json.dumps(self.settings, indent=2) + "\n")
        (self.folder / "indexvault.json").chmod(0o644)

    def run(self, command: str) -> list[str]:
        """Run a command and return the lines that it printed; `code` is its exit code."""
        for written, stand_in in self.stand_ins.items():
            command = command.replace(written, stand_in)
        export = _EXPORT.match(command)
        if command == "echo $?":
            code, self.code = self.code, 0
            return [str(code)]
        if export:
            return self._export(*export.groups())
        own = _PROGRAM.match(command)
        result = self._ours(command) if own and not _BEYOND_US.search(command) else self._shell(command)
        self.code = result.code
        lines = without_progress(result.stdout.splitlines() + result.stderr.splitlines())
        return [self._as_written(line) for line in lines]

    def _as_written(self, line: str) -> str:
        for written, stand_in in self.stand_ins.items():
            if "://" in written:
                line = line.replace(stand_in.split()[0], written)
        return line

    def _export(self, name: str, value: str) -> list[str]:
        if value.strip() not in {"...", "…"}:  # what a page can't know is set already
            self.variables[name] = self._shell(f"printf %s {value}").stdout
        self.code = 0
        return []

    def _ours(self, command: str) -> CommandResult:
        while int(time.time()) == self.last_second and re.search(r"\b(backup|move|import)\b", command):
            time.sleep(0.01)  # names tell the order of snapshots to the second
        arguments = shlex.split(command)[1:]
        result = CommandResult(*run_in_process(arguments, self.variables, folder=self.folder, longest=LONGEST))
        self.last_second = int(time.time())
        return result

    def _shell(self, command: str) -> CommandResult:
        done = subprocess.run(  # noqa: S603 - the commands of our own pages
            ["/bin/bash", "-c", command],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def start_app(self) -> None:
        """Start the Functions app with the settings of the folder, for commands with --url."""
        self.app = subprocess.Popen(
            [sys.executable, "-m", "tests.host", "--port", "0", "--no-clock"],
            cwd=PROJECT,
            env=self.variables | {"INDEXVAULT_CONFIG": json.dumps(self.settings)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.app.stdout is not None
        self.stand_ins["https://contoso-vault.azurewebsites.net"] = json.loads(self.app.stdout.readline())["url"]

    def end(self) -> None:
        if self.app is not None:
            self.app.send_signal(signal.SIGTERM)
            self.app.communicate(timeout=LONGEST)


@contextmanager
def open_desk(folder: Path, azurite: Azurite) -> Iterator[Desk]:
    """Open a desk whose services are empty, and whose settings name them as the pages do."""
    services = [
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=ADMIN_KEY),
        EmulatedService(name=WEST, tier="basic", region="westus", api_key=ADMIN_KEY),
        EmulatedService(name=SMALL, tier="free", region="eastus", api_key=ADMIN_KEY, quotas={"storage": 20_000}),
    ]
    tiers = {each.name: (each.tier, each.region) for each in services}
    with emulator_on_a_thread(services) as emulator:
        function_key = secrets.token_urlsafe(12)
        variables = {
            name: value for name, value in os.environ.items() if name in {"PATH", "TMPDIR", "LANG", "VIRTUAL_ENV"}
        } | {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(PROJECT),
            "CONTOSO_EAST_STORE": azurite.new_account(),
            "CONTOSO_WEST_STORE": azurite.new_account(),
            "HOST_FUNCTION_KEY": function_key,
            "HOST_MASTER_KEY": secrets.token_urlsafe(12),
            "INDEXVAULT_KEY": function_key,
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
            **{key_of(name): ADMIN_KEY for name in tiers},
        }
        settings = {
            "stores": {
                name: {"connection_string": {"env": f"CONTOSO_{name.upper()}_STORE"}, "region": f"{name}us"}
                for name in ("east", "west")
            },
            "services": {
                name: {
                    "endpoint": emulator.endpoint(name),
                    "region": region,
                    "tier": tier,
                    "store": region.removesuffix("us"),
                    "api_key": {"env": key_of(name)},
                }
                for name, (tier, region) in tiers.items()
            },
        }
        east = emulator.endpoint(EAST)
        stand_ins = {
            # init names a service after its host, and has no identity here
            "https://contoso-east.search.windows.net": f"{east} --name {EAST}",
            "https://contosoeast.blob.core.windows.net": "env:CONTOSO_EAST_STORE",
            # every snapshot of a test is seconds old
            "@yesterday": "@latest",
        }
        desk = Desk(folder, {name: Service(emulator.endpoint(name)) for name in tiers}, variables, settings, stand_ins)
        desk.write_settings()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(cut_over, "ALIAS_SECONDS", 0)  # an emulated alias leads elsewhere at once
                patch.setattr(follow, "POLL_SECONDS", 0.05)
                patch.setattr(follow, "LONGEST_POLL_SECONDS", 0.05)
                yield desk
        finally:
            desk.end()


def key_of(service: str) -> str:
    return f"{service.upper().replace('-', '_')}_KEY"
