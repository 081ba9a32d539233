"""The OpenAPI document is valid, and schemathesis finds nothing that the app answers outside it."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.functions.app import App, Ground, hotels

SECONDS = 900
EXCLUDED = "unsupported_method,missing_required_header"
"""Azure Functions answers 404, and not 405, to a method that a route does not have (azure-functions-host 10098), and
refuses a missing key before the app sees the request; tests/functions/test_requests.py looks at the key."""

CONFIGURATION = """
[headers]
x-functions-key = "{key}"

# What a filter or a patch may say, and that patterns need one without "!", is more than the schema tells. Runs that are
# unfinished may be as many as one key may have.
[[operations]]
include-operation-id = ["back_up", "restore", "move", "compare", "verify", "prune", "delete_snapshots"]

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422", "429", "502", "503"]

# A dead man's switch says that the work was not done by 503.
[[operations]]
include-operation-id = ["health", "service_health"]

[operations.checks.positive_data_acceptance]
expected-statuses = ["200", "404", "422", "503"]

[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", "503"]

# What there is, is more than the schema tells.
[[operations]]
include-operation-id = [
  "test_alerts", "protect_snapshot", "unprotect_snapshot", "show_stats", "list_policies", "status", "measure_drift",
  "start_drill", "readiness", "start_failover",
]

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422"]
"""


@pytest.mark.parametrize("examples", [5, pytest.param(50, marks=pytest.mark.slow)])
async def test_schemathesis_finds_nothing(app: App, ground: Ground, tmp_path: Path, examples: int) -> None:
    await ground.fill("hotels", hotels(10))
    await app.back_up("hotels")
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(key=app.function_key))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(configuration), "run", f"{app.url}/api/openapi.json"),
        *("--max-examples", str(examples), "--seed", "7", "--exclude-checks", EXCLUDED, "--no-color"),
        *("--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--request-timeout", "300"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    sys.stdout.write(output.decode())
    assert process.returncode == 0, output.decode()
