"""The SDK's samples run on the emulator unchanged and print what the data demands."""

from pathlib import Path

import pytest

from tests.conformance.outcomes import out_of_scope, verdicts
from tests.conformance.samples import EXPECTED, SAMPLES, run_sample

_SHARED = {"sample_utils.py"}
_EXCUSED = {entry.file for entry in out_of_scope()}
_SLOW = {"sample_authentication.py", "sample_authentication_async.py"}
"""The SDK asks for a token again for some seconds before it gives up."""


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=pytest.mark.slow if file in _SLOW else ()) for file in SAMPLES]
)
async def test_sample(file: str, sdk_source: Path) -> None:
    (verdict,) = verdicts([await run_sample(sdk_source, file)], [one for one in out_of_scope() if one.file == file])
    assert verdict.result != "failed", verdict.why


def test_every_sample_of_the_source_runs(sdk_source: Path) -> None:
    assert {path.name for path in (sdk_source / "samples").glob("sample_*.py")} - _SHARED == set(SAMPLES)


def test_every_sample_in_scope_is_expected_to_print_something() -> None:
    silent = {name for name, lines in EXPECTED.items() if not lines}
    assert silent <= {file.removeprefix("sample_").removesuffix(".py") for file in _EXCUSED}
