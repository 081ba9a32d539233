"""Stands in for the package of the same name, which the SDK's tests import and its source distribution leaves out.

Only what the search tests use, and only live mode: nothing is recorded or played back, every request goes to the
service that the environment names.
"""

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest
from azure.core.credentials import AzureKeyCredential


class AzureTestError(Exception):
    """What the tests raise when they can't prepare the service."""


class AzureRecordedTestCase:
    """The base class of every live test."""

    is_live = True

    def get_resource_name(self, name: str) -> str:
        """Return a name of one's own, the same in every run."""
        return f"{name}{crc32(type(self).__qualname__.encode()):08x}"


class EnvironmentVariableLoader:
    """Passes a test what the environment says under the upper-case names of its arguments.

    A name that is not set is an error, as in live mode; the values given here are those of recordings.
    """

    def __init__(self, _directory: str, **recorded: str) -> None:
        self.names = tuple(recorded)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a test, so that pytest sees one without arguments."""

        def arguments() -> dict[str, str]:
            signature = inspect.signature(function, follow_wrapped=False).parameters
            takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.values())
            return {name: os.environ[name.upper()] for name in self.names if takes_all or name in signature}

        if inspect.iscoroutinefunction(function):

            async def asynchronous(test: AzureRecordedTestCase) -> None:
                await function(test, **arguments())

            return _named_as(function, asynchronous)

        def synchronous(test: AzureRecordedTestCase) -> None:
            function(test, **arguments())

        return _named_as(function, synchronous)


def _named_as(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    functools.update_wrapper(wrapper, function)
    del wrapper.__dict__["__wrapped__"]  # pytest would take the wrapped test's arguments for fixtures
    return wrapper


def get_credential(*, is_async: bool = False) -> AzureKeyCredential:  # noqa: ARG001 -- a key serves both kinds of client
    """Return the service's key: the SDK sends bearer tokens over https only, and the emulator speaks http."""
    return AzureKeyCredential(os.environ["SEARCH_API_KEY"])


def recorded_by_proxy[Test: Callable[..., Any]](test: Test) -> Test:
    """Leave a test as it is: in live mode there is nothing to record."""
    return test


def remove_batch_sanitizers(_names: list[str]) -> None:
    """Do nothing: sanitizers clean recordings."""


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """Stand for the recording proxy, which live mode has no use for."""
