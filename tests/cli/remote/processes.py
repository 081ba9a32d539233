"""Commands as processes: `python -m indexvault --url` the real app behind it, and without a deployment."""

import asyncio
import sys

from tests.cli.terminal import CommandResult
from tests.functions.app import PROJECT, App

LONGEST = 300


async def started(app: App, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command that knows the app's address and key, and no settings."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "indexvault", "--url", app.url, *arguments),
        cwd=PROJECT,
        env={name: app.environment[name] for name in ("PATH", "TMPDIR")}
        | {"INDEXVAULT_KEY": app.function_key}
        | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def result_of(app: App, process: asyncio.subprocess.Process) -> CommandResult:
    stdout, stderr = await asyncio.wait_for(process.communicate(), LONGEST)
    assert process.returncode is not None
    app.said += [stdout.decode(), stderr.decode()]
    return CommandResult(process.returncode, stdout.decode(), stderr.decode())


async def indexvault(app: App, *arguments: str, **environment: str) -> CommandResult:
    return await result_of(app, await started(app, *arguments, **environment))


async def embedded(app: App, *arguments: str) -> CommandResult:
    """Run a command in a process of its own, with the app's settings."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "indexvault", *arguments),
        cwd=PROJECT,
        env=app.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return await result_of(app, process)


async def same(app: App, *arguments: str) -> CommandResult:
    """Run a command with a deployment and without, and require the same exit code, result and errors of both."""
    remote, local = await indexvault(app, *arguments), await embedded(app, *arguments)
    assert (remote.code, remote.stdout) == (local.code, local.stdout), remote.stderr + local.stderr
    errors = [
        [line for line in each.stderr.splitlines() if line.startswith("indexvault: ")] for each in (remote, local)
    ]
    assert errors[0] == errors[1]
    return remote
