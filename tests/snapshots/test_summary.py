import re
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.snapshots.manifest import Loss
from indexvault.snapshots.summary import damaged_summary, from_metadata, summarise, to_metadata
from indexvault.snapshots.tree import Tree
from tests.snapshots.samples import manifest_of

SUMMARY = summarise(manifest_of(Tree(), "0" * 64, losses=(Loss(field="a", reason="b"),)))


def test_says_what_the_manifest_says() -> None:
    assert (SUMMARY.state, SUMMARY.losses, SUMMARY.documents) == ("lossy", 1, 0)
    assert str(SUMMARY.reference) == f"contoso-east/hotels@{SUMMARY.id}"


def test_comes_back_from_metadata() -> None:
    assert from_metadata(SUMMARY.reference, to_metadata(SUMMARY)) == SUMMARY


def test_metadata_names_compare_without_case() -> None:
    shouted = {name.upper(): value for name, value in to_metadata(SUMMARY).items()}
    assert from_metadata(SUMMARY.reference, shouted) == SUMMARY


def test_metadata_is_what_every_store_keeps() -> None:
    metadata = to_metadata(SUMMARY)
    assert all(re.fullmatch("[a-z]+", name) for name in metadata)
    assert all(value.isascii() and value.isprintable() and value.strip() == value != "" for value in metadata.values())
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 1024


def test_names_that_are_not_ascii_stay_out_of_metadata() -> None:
    named = msgspec.structs.replace(SUMMARY, service="öst", index="hôtels", generation="2")
    assert all(value.isascii() for value in to_metadata(named).values())
    assert from_metadata(named.reference, to_metadata(named)) == named


@pytest.mark.parametrize(
    "change",
    [
        {"id": "20261120T023001Z-7f3a9c"},
        {"state": "damaged"},
        {"state": "fine"},
        {"documents": "-1"},
        {"documents": "many"},
        {"created": "2026-11-20T02:30:00"},
        {"contentdigest": ""},
    ],
    ids=str,
)
def test_metadata_that_does_not_fit_is_no_summary(change: dict[str, str]) -> None:
    assert from_metadata(SUMMARY.reference, to_metadata(SUMMARY) | change) is None


@given(st.sampled_from(sorted(to_metadata(SUMMARY))))
def test_metadata_that_lacks_something_is_no_summary(missing: str) -> None:
    metadata = to_metadata(SUMMARY)
    del metadata[missing]
    assert from_metadata(SUMMARY.reference, metadata) is None


def test_members_of_a_later_minor_version_are_passed_over() -> None:
    assert from_metadata(SUMMARY.reference, to_metadata(SUMMARY) | {"colour": "blue"}) == SUMMARY


def test_of_a_damaged_snapshot_only_the_name_is_known() -> None:
    damaged = damaged_summary(SUMMARY.reference)
    assert (damaged.state, damaged.created, damaged.documents) == ("damaged", SUMMARY.created, 0)


def test_metadata_of_a_presumed_snapshot_names_the_full_reading() -> None:
    full = "20261119T023000Z-7f3a9c"
    presumed = msgspec.structs.replace(SUMMARY, state="presumed", proved=full)
    metadata = to_metadata(presumed)
    assert from_metadata(SUMMARY.reference, metadata) == presumed
    assert presumed.proved_at == SUMMARY.created - timedelta(days=1)
    assert "proved" not in to_metadata(SUMMARY)
    assert (SUMMARY.proved_at, SUMMARY.is_proved, presumed.is_proved) == (None, True, False)
    for other in ({"state": "complete"}, {"state": "lossy"}, {"proved": ""}, {"proved": "full"}):
        assert from_metadata(SUMMARY.reference, metadata | other) is None
    later = {"proved": "20261121T023000Z-7f3a9c"}
    assert from_metadata(SUMMARY.reference, metadata | later) is None
    left_open = msgspec.structs.replace(presumed, state="unsettled", unsettled=3)
    assert from_metadata(SUMMARY.reference, to_metadata(left_open)) == left_open


def test_metadata_of_an_unsettled_snapshot_says_how_many_documents_are_open() -> None:
    unsettled = msgspec.structs.replace(SUMMARY, state="unsettled", unsettled=12)
    metadata = to_metadata(unsettled)
    assert from_metadata(SUMMARY.reference, metadata) == unsettled
    assert "unsettled" not in to_metadata(SUMMARY)
    for other in ({"state": "complete"}, {"unsettled": "0"}):
        assert from_metadata(SUMMARY.reference, metadata | other) is None
