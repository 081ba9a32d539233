"""Labels on the handlers of a platform that has set up its logging before the app is there."""

import io
import json
import logging

import pytest

from indexvault.workflow.logs import label_entries, labelled


@pytest.fixture
def platform() -> tuple[logging.Logger, io.StringIO, io.StringIO]:
    """Return a logger with a handler that sends text alone and one that has a form of its own."""
    logger = logging.Logger("platform")  # noqa: LOG001 - one that no other test can hear
    plain, formed = io.StringIO(), io.StringIO()
    logger.addHandler(logging.StreamHandler(plain))
    own = logging.StreamHandler(formed)
    own.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(own)
    label_entries(logger)
    return logger, plain, formed


def test_entries_about_a_run_become_json_and_the_platforms_stay(
    platform: tuple[logging.Logger, io.StringIO, io.StringIO],
) -> None:
    logger, plain, formed = platform
    with labelled({"run": "the-run", "service": "contoso-east", "index": "hotels"}):
        logger.warning("busy; again in %.1f s", 0.5)
    logger.info("Received WorkerInitRequest")
    about, platforms = plain.getvalue().splitlines()
    told = json.loads(about)
    assert (told["message"], told["run"], told["index"]) == ("busy; again in 0.5 s", "the-run", "hotels")
    assert platforms == "Received WorkerInitRequest"
    assert formed.getvalue().splitlines() == ["WARNING busy; again in 0.5 s", "INFO Received WorkerInitRequest"]


def test_an_entry_keeps_what_it_says_of_itself(platform: tuple[logging.Logger, io.StringIO, io.StringIO]) -> None:
    logger, plain, _ = platform
    with labelled({"run": "the-run", "service": "contoso-west"}):
        logger.info("busy", extra={"service": "contoso-east"})
    assert json.loads(plain.getvalue())["service"] == "contoso-east"
