import pickle
import re

import msgspec
import pytest
from durabletask.task import FailureDetails
from hypothesis import given
from hypothesis import strategies as st

import indexvault.errors
from indexvault.errors import ErrorRecord, IndexvaultError, SettingsError, from_record
from indexvault.workflow.failures import ActivityFailedError, error_of

KINDS = list(IndexvaultError.kinds().values())


def test_the_tree_drawn_at_the_top_is_the_tree() -> None:
    drawn = re.findall(r"^\W*(\w+Error) ", indexvault.errors.__doc__ or "", re.MULTILINE)
    assert drawn == [kind.__name__ for kind in KINDS]


@given(kind=st.sampled_from(KINDS), what=st.text(), on=st.text(), do=st.text())
def test_an_error_crosses_the_engine_whole(kind: type[IndexvaultError], what: str, on: str, do: str) -> None:
    error = kind(what, on=on, do=do)
    message = f"Result: Failure\nException: ActivityFailedError: {ActivityFailedError(error)}\nStack: {{'a': 1}}"
    back = error_of(FailureDetails(message=message, error_type="ActivityFailedError", stack_trace=None))
    assert type(back) is kind
    assert (back.what, back.on, back.do) == (what, on, do)


def test_an_unknown_kind_becomes_the_root_and_keeps_its_words() -> None:
    back = from_record(ErrorRecord(kind="LaterError", what="w", on="o", do="d"))
    assert type(back) is IndexvaultError
    assert str(back) == "o: w. d"


@pytest.mark.parametrize("message", ["boom", "indexvault-error:", "indexvault-error:{nonsense", "indexvault-error:{}"])
def test_a_strange_failure_is_told_without_its_text(message: str) -> None:
    back = error_of(FailureDetails(message=message + " secret", error_type="builtins.KeyError", stack_trace=None))
    assert type(back) is IndexvaultError
    assert "KeyError" in str(back)
    assert "secret" not in str(back)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_pickling_and_records(kind: type[IndexvaultError]) -> None:
    error = kind("what", on="on", do="do")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - bytes made on the same line
    assert msgspec.json.decode(msgspec.json.encode(error.record()), type=ErrorRecord) == error.record()


def test_a_question_is_followed_by_no_full_stop() -> None:
    error = SettingsError("there is no 'snapshost'; did you mean 'snapshots'?", on="argument VERB", do="See --help")
    assert str(error) == "argument VERB: there is no 'snapshost'; did you mean 'snapshots'? See --help"
