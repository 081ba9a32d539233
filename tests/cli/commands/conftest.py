"""Fixtures of the verbs' tests."""

import pytest

from tests.azurite import Azurite
from tests.cli.terminal import EAST, Terminal


@pytest.fixture
def second_store(terminal: Terminal, azurite: Azurite) -> str:
    """Add a policy that keeps two snapshots and copies to a second store; return that store's account."""
    account = azurite.new_account()
    terminal.settings["stores"]["second"] = {"connection_string": {"env": "SECOND"}, "region": "elsewhere"}
    terminal.environment["SECOND"] = account
    policy = {"service": EAST, "schedule": "0 0 2 * * *", "keep": {"last": 2}, "replicate_to": ["second"]}
    terminal.settings["policies"] = {"nightly": policy}
    return account
