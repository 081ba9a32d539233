from pathlib import Path

import pytest

from tests.conformance.source import NoSourceError, archive, unpacked


@pytest.fixture(scope="session")
def sdk_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK's source distribution, unpacked; without a package registry the tests of the SDK are skipped."""
    try:
        return unpacked(archive(), tmp_path_factory.mktemp("sdk"))
    except NoSourceError as problem:
        pytest.skip(f"NOT RUN, the SDK's source distribution can't be downloaded from here: {problem}")
