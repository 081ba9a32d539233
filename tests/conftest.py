"""Fixtures for every room's tests, and the same environment for all of them."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.azurite import azurite, closed_port, storage_account
from tests.recorded_telemetry import providers, telemetry

__all__ = ["azurite", "closed_port", "providers", "storage_account", "telemetry"]

# Variables that change how programs print, which settings they find, or where they connect: no test depends on them.
_NOT_OURS = re.compile(
    r"(COLUMNS|LINES|TERM|NO_COLOR|(CLICOLOR_)?FORCE_?COLOR|CLICOLOR.*|TTY_.*|PYTHON_?COLORS|PYTHONWARNINGS"
    r"|\w+_proxy|(AZURE|AZURITE|INDEXVAULT|HOST|OTEL|APPLICATIONINSIGHTS|FUNCTIONS|GRPC)_.*)",
    re.IGNORECASE,
)
for name in [name for name in os.environ if _NOT_OURS.fullmatch(name)]:
    del os.environ[name]


# A process started in the background inherits that it ignores these signals; the tests end their processes by them.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give this process and its children a folder for temporary files: a killed process can't remove its own."""
    tmp_path_factory.getbasetemp()  # stays where it is: pytest keeps what failed tests have left there
    folder = tempfile.mkdtemp(prefix="tests-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


# No example may fail for the time it takes: the machine may be busy. The examples are the same in every run;
# `pytest --hypothesis-profile search` draws new ones, and more.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")
