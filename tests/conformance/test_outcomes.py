from importlib.metadata import version

import pytest

from tests.conformance import source
from tests.conformance.live_tests import FILES
from tests.conformance.outcomes import KINDS, Outcome, OutOfScope, out_of_scope, verdicts
from tests.conformance.samples import SAMPLES

_ENTRY = OutOfScope("test_a.py", "test_one", "semantic ranking", "nothing ranks", fails_with="no ranker")


def test_list_of_what_is_out_of_scope_names_known_files_and_kinds_once() -> None:
    entries = out_of_scope()
    assert {entry.file for entry in entries} <= {*FILES, *SAMPLES}
    assert {entry.kind for entry in entries} <= KINDS
    assert all(entry.because and entry.fails_with for entry in entries)
    assert len({(entry.file, entry.test) for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (Outcome("test_a.py", "test_one", passed=False, why="Error: no ranker"), "out of scope"),
        (Outcome("test_a.py", "test_one", passed=False, why="Error: something else"), "failed"),
        (Outcome("test_a.py", "test_one", passed=True), "failed"),
    ],
    ids=["fails as it must", "fails in another way", "passes"],
)
def test_an_excused_test_must_fail_as_it_is_excused(outcome: Outcome, result: str) -> None:
    assert [one.result for one in verdicts([outcome], [_ENTRY])] == [result]


def test_an_excuse_for_a_test_that_is_not_there_is_a_failure() -> None:
    judged = verdicts([Outcome("test_a.py", "test_two", passed=True)], [_ENTRY])
    assert [(one.outcome.test, one.result) for one in judged] == [("test_two", "passed"), ("test_one", "failed")]


def test_an_excuse_for_another_file_is_of_no_concern() -> None:
    assert [one.result for one in verdicts([Outcome("test_b.py", "test_one", passed=True)], [_ENTRY])] == ["passed"]


def test_source_is_of_the_version_that_the_app_runs_on() -> None:
    assert source.version() == version("azure-search-documents")
