"""`indexvault unlock` against the app: the lock of a killed run."""

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.functions.app import EAST, HELD, PROJECT, App, Ground, hotels


async def indexvault(app: App, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command line with the app's settings; return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "indexvault", "--json", *arguments),
        cwd=PROJECT,
        env=app.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in output.splitlines()]


@pytest.mark.slow  # starts many processes
async def test_a_killed_run_is_unlocked_and_can_no_longer_commit(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(3_000))
    await ground.faults(EAST, HELD)
    answer = await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["hotels"]})
    run = answer.json["run"]
    await app.kill()
    code, [told] = await indexvault(app, "unlock", f"{EAST}/hotels")
    assert (code, told["lock"], told["had"]) == (0, "unlocked", f"run {run}-0 (POST /backups)")
    code, [told] = await indexvault(app, "unlock", f"{EAST}/hotels")
    assert (code, told["lock"]) == (0, "free")
    code, _ = await indexvault(app, "unlock", "nobody/hotels")
    assert code == 4
    await ground.faults(EAST)
    await app.start()
    assert (await app.back_up("hotels"))["state"] == "done"
