"""What running one of the SDK's tests or samples gave, and how it counts."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

_OUT_OF_SCOPE = Path(__file__).with_name("out_of_scope.toml")
KINDS = frozenset(
    {
        "full-text ranking",
        "semantic ranking",
        "vector ranking",
        "knowledge retrieval",
        "web knowledge sources",
        "indexer execution",
        "Entra identity",
        "broken in the SDK",
    }
)


class Outcome(msgspec.Struct, frozen=True):
    """One test or sample; `why` is the failure's own text."""

    file: str
    test: str
    passed: bool
    why: str = ""
    skipped_upstream: str | None = None
    """Why the SDK's authors skip the test; it runs here."""


class OutOfScope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test or sample that is expected to fail, and how."""

    file: str
    test: str
    kind: str
    because: str
    fails_with: str
    """Part of the failure's text: a test that begins to fail in another way is a failure."""


class Verdict(msgspec.Struct, frozen=True):
    """How an outcome counts: `passed`, `failed` or `out of scope`, and why."""

    outcome: Outcome
    result: str
    why: str


def out_of_scope() -> Sequence[OutOfScope]:
    """Read the list of what is out of scope."""
    entries = tomllib.loads(_OUT_OF_SCOPE.read_text(encoding="utf-8"))["out_of_scope"]
    return msgspec.convert(entries, list[OutOfScope])


def verdicts(outcomes: Sequence[Outcome], excused: Sequence[OutOfScope]) -> list[Verdict]:
    """Judge the outcomes of whole files.

    An excuse for a test that passes, fails otherwise, or isn't there counts as a failure, so that the list can't hide
    a test.
    """
    entries = {(entry.file, entry.test): entry for entry in excused}
    found = [_verdict(outcome, entries.get((outcome.file, outcome.test))) for outcome in outcomes]
    ran = {(outcome.file, outcome.test) for outcome in outcomes}
    files = {outcome.file for outcome in outcomes}
    for (file, test), entry in entries.items():
        if file in files and (file, test) not in ran:
            missing = Outcome(file, test, passed=False, why="no such test")
            found.append(Verdict(missing, "failed", f"out of scope ({entry.kind}), but there is no such test"))
    return found


def _verdict(outcome: Outcome, entry: OutOfScope | None) -> Verdict:
    if entry is None:
        note = f"runs here; its authors skip it: {outcome.skipped_upstream}" if outcome.skipped_upstream else ""
        return Verdict(outcome, "passed", note) if outcome.passed else Verdict(outcome, "failed", outcome.why)
    if outcome.passed:
        return Verdict(outcome, "failed", f"is listed as out of scope ({entry.kind}) and passes")
    if entry.fails_with not in outcome.why:
        return Verdict(outcome, "failed", f"out of scope ({entry.kind}), but failed in another way: {outcome.why}")
    return Verdict(outcome, "out of scope", f"{entry.kind}: {entry.because}")
