import io
import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from cli.logs import configure_logs


@pytest.fixture
def paper() -> Iterator[io.StringIO]:
    """Give what the log is written to; the root logger is as before afterwards."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield io.StringIO()
    root.handlers, level = before
    root.setLevel(level)


def fail() -> None:
    raise ValueError("of no use to an operator")


def test_an_entry_is_one_line_with_service_and_operation(paper: io.StringIO) -> None:
    configure_logs("info", Console(file=paper, width=200))
    logging.getLogger("search.exchange").warning(
        "busy;\n again", extra={"service": "contoso-east", "operation": "GET indexes"}
    )
    logging.getLogger("snapshots.azure_store").info("trying again")
    assert paper.getvalue() == "warning contoso-east GET indexes: busy; again\ninfo trying again\n"


@pytest.mark.parametrize(("level", "traceback"), [("info", False), ("debug", True)])
def test_tracebacks_are_for_debugging(paper: io.StringIO, level: str, *, traceback: bool) -> None:
    configure_logs(level, Console(file=paper, width=200))
    try:
        fail()
    except ValueError:
        logging.getLogger("restore").exception("it failed")
    assert "it failed" in paper.getvalue()
    assert ("Traceback" in paper.getvalue()) is traceback


def test_libraries_are_heard_only_in_search_of_a_bug(paper: io.StringIO) -> None:
    for level, heard in (("info", 0), ("debug", 2)):
        configure_logs(level, Console(file=paper, width=200))
        logging.getLogger("durabletask.worker").error("the worker has lost its stream")
        logging.getLogger("asyncio").error("unclosed")
        logging.getLogger("azure.core").info("GET https://contoso-east.search.windows.net")
        assert len(paper.getvalue().splitlines()) == heard
