"""Fixtures of the command line's tests."""

import logging
from collections.abc import Iterator

import pytest

from tests.cli.desk import Operator, operator


@pytest.fixture
def desk(storage_account: str) -> Iterator[Operator]:
    """Seat an operator; whatever the test made it say, no secret may be in it."""
    with operator(storage_account) as seated:
        yield seated


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Let a test configure this process's logging: what later tests hear of is not changed by it."""
    root = logging.getLogger()
    handlers = root.handlers
    levels = {each.name: each.level for each in _loggers()}
    yield
    root.handlers = handlers
    for each in _loggers():
        each.setLevel(levels.get(each.name, logging.NOTSET))


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    return [root, *(each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
