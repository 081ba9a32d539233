"""Commands with `--url` the real app behind it, and without a deployment."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

from tests.cli.in_process import run_in_process
from tests.cli.terminal import CommandResult
from tests.functions.app import PROJECT, App

LONGEST = 300


async def started(app: App, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command as `indexvault` runs it, as a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "indexvault", "--url", app.url, *arguments),
        cwd=PROJECT,
        env=_variables(app, environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def result_of(app: App, process: asyncio.subprocess.Process) -> CommandResult:
    stdout, stderr = await asyncio.wait_for(process.communicate(), LONGEST)
    assert process.returncode is not None
    app.said += [stdout.decode(), stderr.decode()]
    return CommandResult(process.returncode, stdout.decode(), stderr.decode())


async def indexvault(app: App, *arguments: str, **environment: str) -> CommandResult:
    """Run a command that knows the app's address and key, and no settings, in this process to its end."""
    return await _run(app, ["--url", app.url, *arguments], _variables(app, environment))


async def embedded(app: App, *arguments: str) -> CommandResult:
    """Run a command with the app's settings in this process to its end."""
    return await _run(app, arguments, app.environment)


async def _run(app: App, arguments: Sequence[str], environment: Mapping[str, str]) -> CommandResult:
    """Run a command on a thread of its own: this one's loop serves what the command asks."""
    result = CommandResult(
        *await asyncio.to_thread(run_in_process, arguments, environment, folder=PROJECT, longest=LONGEST)
    )
    app.said += [result.stdout, result.stderr]
    return result


def _variables(app: App, environment: Mapping[str, str]) -> dict[str, str]:
    known = {name: app.environment[name] for name in ("PATH", "TMPDIR")}
    return known | {"INDEXVAULT_KEY": app.function_key} | dict(environment)


async def same(app: App, *arguments: str) -> CommandResult:
    """Run a command with a deployment and without, and require the same exit code, result and errors of both."""
    remote, local = await indexvault(app, *arguments), await embedded(app, *arguments)
    assert (remote.code, remote.stdout) == (local.code, local.stdout), remote.stderr + local.stderr
    errors = [
        [line for line in each.stderr.splitlines() if line.startswith("indexvault: ")] for each in (remote, local)
    ]
    assert errors[0] == errors[1]
    return remote
