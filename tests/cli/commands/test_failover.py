"""Failover and failback from the command line: shown, asked, done, told as JSON, and done once."""

import asyncio
import io
import os
import random
from argparse import ArgumentParser
from datetime import UTC, datetime

import msgspec
import pytest

from indexvault.cli.commands import failback
from indexvault.cli.failovers import run_failover
from indexvault.cli.output import Output
from indexvault.cli.session import Session
from indexvault.errors import CancelledError
from indexvault.settings.load import read_settings
from tests.cli.commands.test_follow import pair
from tests.cli.terminal import EAST, WEST, Terminal
from tests.cli.test_confirmation import Screen

__all__ = ["pair"]


def test_a_pair_fails_over_and_back(pair: Terminal) -> None:
    pair.east.fill("notes", 30)
    made = pair.back_up("notes").partition("@")[2]
    assert pair.indexvault("replicate", EAST, "--to", "second").code == 0
    refused = pair.indexvault("failover", "contoso")
    assert (refused.code, "Add --yes" in refused.error_line) == (2, True)
    shown = pair.indexvault("failover", "contoso", "--dry-run")
    assert (shown.code, pair.west.indexes) == (0, [])
    assert f"{EAST} answers: with --planned, nothing would be lost" in shown.stdout
    done = pair.indexvault("failover", "contoso", "--yes", "--json")
    assert done.code == 0, done.stderr
    report = done.records[-1]
    assert (report["event"], report["to"], report["generation"], report["faults"]) == ("failover", WEST, 1, [])
    assert [(each["index"], each["snapshot"], each["documents"]) for each in report["indexes"]] == [("notes", made, 30)]
    again = pair.indexvault("failover", "contoso", "--yes", "--json")
    assert (again.code, again.records[-1]["repeated"], again.records[-1]["run"]) == (0, True, report["run"])
    pair.west.fill("notes", 33)
    back = pair.indexvault("failback", "contoso", "--yes", "--json")
    assert back.code == 0, back.stderr
    assert (back.records[-1]["to"], back.records[-1]["generation"], back.records[-1]["rounds"]) == (EAST, 2, 1)
    assert pair.indexvault("compare", f"{EAST}/notes", f"{WEST}/notes").code == 0
    wrong = pair.indexvault("failover", "contoso", "--at=-2h", "--yes")
    assert (wrong.code, "Write the time itself" in wrong.error_line) == (2, True)


def test_a_failback_tells_what_it_overwrites_before_it_asks(pair: Terminal) -> None:
    pair.east.fill("notes", 30)
    pair.back_up("notes")
    assert pair.indexvault("replicate", EAST, "--to", "second").code == 0
    pair.east.fill("notes", 33)  # three that no snapshot has
    assert pair.indexvault("failover", "contoso", "--yes").code == 0
    typed, seen = os.openpty()
    results, screen = io.StringIO(), Screen()
    with os.fdopen(seen, encoding="utf-8") as keyboard:
        session = Session(
            settings=read_settings(msgspec.json.encode(pair.settings), pair.environment),
            environment=pair.environment,
            output=Output(as_json=False, stdout=results, stderr=screen, stdin=keyboard),
            clock=lambda: datetime.now(UTC),
            rng=random.Random(1),
        )
        parser = ArgumentParser()
        failback.COMMAND.add_arguments(parser)
        request = failback.read_request(parser.parse_args(["contoso"]))
        os.write(typed, b"n\n")
        with pytest.raises(CancelledError):
            asyncio.run(run_failover(session, request))
    os.close(typed)
    assert f"{EAST} holds 3 documents that {WEST} has not" in results.getvalue()
    assert pair.indexvault("failover", "contoso", "--yes", "--json").records[-1]["repeated"]  # nothing was swapped
