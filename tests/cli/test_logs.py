import io
import json
import logging

import pytest
from rich.console import Console

from indexvault.cli.logs import configure_logs
from indexvault.workflow.logs import labelled
from tests.cli.terminal import EAST, WEST, Terminal


@pytest.fixture
def paper(logging_as_before: None) -> io.StringIO:  # noqa: ARG001 - for what it undoes
    """Return what the log is written to."""
    return io.StringIO()


def fail() -> None:
    raise ValueError("of no use to an operator")


def test_an_entry_is_one_line_with_service_and_operation(paper: io.StringIO) -> None:
    configure_logs("info", Console(file=paper, width=200))
    logging.getLogger("indexvault.search.transport").warning(
        "busy;\n again", extra={"service": "contoso-east", "operation": "GET indexes"}
    )
    logging.getLogger("indexvault.snapshots.azure_store").info("trying again")
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


def test_an_entry_is_a_line_of_json_for_a_program(paper: io.StringIO) -> None:
    configure_logs("info", Console(file=paper, width=40), as_json=True)
    with labelled({"run": "the-run", "service": "contoso-east", "index": "hotels"}):
        logging.getLogger("indexvault.restore.upload").warning("3 of %d documents [put] off;\n again", 1000)
    logging.getLogger("indexvault.search.transport").info(
        "busy", extra={"service": "contoso-west", "operation": "GET indexes"}
    )
    first, second = (json.loads(line) for line in paper.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "indexvault.restore.upload",
        "message": "3 of 1000 documents [put] off;\n again",
        "run": "the-run",
        "service": "contoso-east",
        "index": "hotels",
    }
    assert (second["service"], second["operation"]) == ("contoso-west", "GET indexes")
    assert "run" not in second


@pytest.mark.slow  # starts many processes
def test_a_command_logs_its_run_as_json_and_no_document(terminal: Terminal) -> None:
    terminal.east.fill("hotels", 30)
    terminal.east.faults({"fault": "throttled", "probability": 0.5, "times": 4})
    snapshot = terminal.indexvault("backup", EAST, "hotels", "--json", "--log-level", "debug")
    restored = terminal.indexvault(
        "restore", snapshot.records[-1]["reference"], "--to", WEST, "--json", "--log-level", "debug"
    )
    assert (snapshot.code, restored.code) == (0, 0)
    entries = [json.loads(line) for line in snapshot.stderr.splitlines() if line.startswith("{")]
    labels = {
        (each["run"], each["service"], each["index"])
        for each in entries
        if each.get("logger") == "indexvault.search.transport"
    }
    assert {(service, index) for _, service, index in labels} == {(EAST, "hotels")}
    assert len(labels) == 1
    assert any(each.get("logger") == "indexvault.workflow.local" for each in entries)
    assert "says" not in snapshot.stderr + restored.stderr
