"""Everything that the fuzzer feeds."""

from tests.soak.fuzz_answers import ANSWERS
from tests.soak.fuzz_records import RECORDS
from tests.soak.fuzz_stored import STORED
from tests.soak.fuzz_target import Target
from tests.soak.fuzz_typed import TYPED

__all__ = ["TARGETS", "Target"]

TARGETS: tuple[Target, ...] = (*ANSWERS, *STORED, *RECORDS, *TYPED)
