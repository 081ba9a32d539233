"""A bounded number of the fuzzer's inputs; `python -m tests.soak.fuzz` feeds as many as it is told to."""

import pytest

from indexvault.errors import IntegrityError
from tests.soak import fuzz
from tests.soak.fuzz_targets import TARGETS, Target

INPUTS = 3_000
SEED = 20261120
PEAK_BYTES = 64 << 20


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")  # of JMESPath
@pytest.mark.parametrize(("target", "count"), fuzz.shares(INPUTS), ids=lambda value: getattr(value, "name", None))
def test_each_input_gives_a_value_or_an_error_of_ours(target: Target, count: int) -> None:
    with fuzz.guarded():
        report = fuzz.run(target, SEED, range(count))
    assert report.inputs == count
    assert report.unknown == []


def test_an_input_is_drawn_again_from_its_number() -> None:
    for target in TARGETS:
        assert fuzz.draw(target, SEED, 7) == fuzz.draw(target, SEED, 7)
    names = [target.name for target in TARGETS]
    assert len(set(names)) == len(names)


def spin(_given: object) -> None:
    while True:
        pass


def grow(_given: object) -> None:
    bytearray(PEAK_BYTES + (32 << 20))


def ask_for_all(_given: object) -> None:
    bytearray(1 << 45)


def stumble(_given: object) -> None:
    nothing: dict[str, int] = {}
    _ = nothing["x"]


def refuse(_given: object) -> None:
    raise IntegrityError("no", on="x", do="y")


@pytest.mark.parametrize(
    ("use", "kind"),
    [(spin, "TooLongError"), (grow, "TooLargeError"), (ask_for_all, "MemoryError"), (stumble, "KeyError")],
)
def test_what_must_not_happen_is_seen(monkeypatch: pytest.MonkeyPatch, use: object, kind: str) -> None:
    if use is spin:
        monkeypatch.setattr(fuzz, "CPU_SECONDS", 0.2)
    target = Target(name="own", draw=lambda rng: rng.random(), use=use, raises=(IntegrityError,), peak_bytes=PEAK_BYTES)  # type: ignore[arg-type]
    with fuzz.guarded():
        report = fuzz.run(target, 1, [5])
    ((count, failure),) = report.unknown
    assert (count, failure.kind, failure.number) == (1, kind, 5)


def test_a_refusal_is_no_failure_unless_it_is_of_another_kind() -> None:
    for raises, failures in (((IntegrityError,), 0), ((KeyError,), 1)):
        with fuzz.guarded():
            report = fuzz.run(Target(name="own", draw=lambda _rng: 0, use=refuse, raises=raises), 1, [1])
        assert len(report.unknown) == failures
