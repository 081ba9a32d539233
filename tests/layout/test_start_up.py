"""What starting up imports: the slow SDKs are loaded when a client is opened, not when a module is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
SLOW = (
    "azure.identity",
    "azure.core",
    "azure.search.documents",
    "azure.storage.blob",
    "aiohttp",
    "cryptography",
    "rich",
)


@pytest.mark.parametrize(
    "module", ["function_app", "indexvault.clients", "indexvault.backup.workflow", "indexvault.move.workflow"]
)
def test_importing_a_module_loads_no_slow_sdk(module: str) -> None:
    program = f"import sys, {module}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, capture_output=True, text=True, check=True)  # noqa: S603 -- a program of ours
    assert sorted(set(SLOW) & set(done.stdout.split())) == []
