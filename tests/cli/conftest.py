"""Fixtures of the command line's tests."""

from collections.abc import Iterator

import pytest

from tests.cli.desk import Operator, operator


@pytest.fixture
def desk(storage_account: str) -> Iterator[Operator]:
    """Seat an operator; whatever the test made it say, no secret may be in it."""
    with operator(storage_account) as seated:
        yield seated
