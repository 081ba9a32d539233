"""Fixtures of the command line's tests."""

import logging
from collections.abc import Iterator

import pytest

from tests.azurite import Azurite
from tests.cli.terminal import Terminal, open_terminal


@pytest.fixture
def terminal(storage_account: str) -> Iterator[Terminal]:
    """Open a terminal. No command that a test runs there may print a secret."""
    with open_terminal(storage_account) as opened:
        yield opened


@pytest.fixture
def second_account(azurite: Azurite) -> str:
    """Return the connection string of a second, empty storage account."""
    return azurite.new_account()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Let a test configure this process's logging, and restore it for later tests."""
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
