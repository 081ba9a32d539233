"""Descriptions, tags and expiries, and what retention makes of them."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import SettingsError
from indexvault.snapshots.labels import (
    LONGEST_EXPIRY,
    Labels,
    check_labels,
    check_tag_filter,
    decode_tags,
    encode_description,
    encode_tags,
    has_tag,
    parse_tag,
    tags_in_words,
)
from indexvault.snapshots.retention import Retention, TaggedRetention, decide
from indexvault.snapshots.summary import Summary, from_metadata, summarise, to_metadata
from indexvault.snapshots.tree import Tree
from tests.snapshots.samples import MORNING, manifest_of
from tests.snapshots.test_retention import DAYS, numbers, retentions, timelines

SUMMARY = summarise(manifest_of(Tree(), "0" * 64))
NOW = DAYS[0].created + timedelta(minutes=1)

names = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.:/+-]{0,39}\Z")
values = st.from_regex(r"\A([A-Za-z0-9_.:/+=-]([A-Za-z0-9_.:/+= -]{0,98}[A-Za-z0-9_.:/+=-])?)?\Z")
sets_of_tags = st.dictionaries(names, values, max_size=10)
descriptions = st.text(max_size=200).filter(str.isprintable)


def labelled(summary: Summary, tags: str = "", expires: timedelta | None = None) -> Summary:
    """Return a snapshot with tags such as `release=1 keep`, that expires after a time."""
    given = dict(parse_tag(each, "tag") for each in tags.split())
    return msgspec.structs.replace(
        summary, tags=given, expires=summary.created + expires if expires is not None else None
    )


def kept(snapshots: list[Summary], *policies: Retention) -> list[int]:
    """Return the places of the snapshots that stay."""
    decisions = {each.snapshot.id: each.keep for each in decide(snapshots, policies, now=NOW)}
    return [place for place, each in enumerate(snapshots) if decisions[each.id]]


@given(sets_of_tags, descriptions, st.none() | st.timedeltas(timedelta(hours=1), LONGEST_EXPIRY))
def test_labels_come_back_from_metadata(tags: dict[str, str], description: str, expires: timedelta | None) -> None:
    check_labels(Labels(description=description, tags=tags, expires=expires), "labels")
    summary = msgspec.structs.replace(
        SUMMARY, tags=tags, description=description, expires=Labels(expires=expires).expiry(MORNING)
    )
    metadata = to_metadata(summary)
    assert from_metadata(SUMMARY.reference, metadata) == summary
    assert all(value.isascii() and value.isprintable() and value.strip() == value != "" for value in metadata.values())
    # Source: Naming and referencing containers, blobs, and metadata: 8 KiB in all.
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 6 * 1024
    assert decode_tags(encode_tags(tags)) == tags if tags else encode_tags(tags) == ""
    assert encode_description(description).isascii()


@pytest.mark.parametrize(
    "metadata",
    [{"tags": "a b"}, {"tags": "a=%00"}, {"tags": "&".join(f"t{n}=1" for n in range(11))}, {"tags": "a=1&a%20b=2"}],
    ids=str,
)
def test_metadata_with_other_tags_is_no_summary(metadata: dict[str, str]) -> None:
    assert from_metadata(SUMMARY.reference, to_metadata(SUMMARY) | metadata) is None


def test_a_snapshot_without_labels_has_the_metadata_that_it_always_had() -> None:
    assert not {"tags", "description", "expires"} & to_metadata(SUMMARY).keys()


@pytest.mark.parametrize(
    "labels",
    [
        Labels(tags={"": "x"}),
        Labels(tags={"a b": "x"}),
        Labels(tags={"a": " x"}),
        Labels(tags={"a": "x\n"}),
        Labels(tags={"a": "ü"}),
        Labels(tags={"a" * 41: ""}),
        Labels(tags={"a": "x" * 101}),
        Labels(tags={f"t{number}": "" for number in range(11)}),
        Labels(description="two\nlines"),
        Labels(description="x" * 201),
        Labels(description="\x1b[31mred"),
        Labels(expires=timedelta(minutes=59)),
        Labels(expires=timedelta(days=36526)),
    ],
    ids=str,
)
def test_labels_that_no_snapshot_can_carry_are_refused(labels: Labels) -> None:
    with pytest.raises(SettingsError):
        check_labels(labels, "labels")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("release", True),
        ("release=4.2", True),
        ("release=4.*", True),
        ("release=*", True),
        ("release=4", False),
        ("release=", False),
        ("env", False),
        ("rel", False),
        ("release=" + "*4" * 45, False),
    ],
)
def test_a_tag_is_found_by_name_value_or_pattern(wanted: str, found: bool) -> None:  # noqa: FBT001 - a parameter
    check_tag_filter(wanted, "--tag")
    assert has_tag({"release": "4.2", "kind": "manual"}, wanted) is found


@pytest.mark.parametrize("wanted", ["", "=1", "a b", "rel*", "a=1,b=2", "a\n"])
def test_what_is_no_filter_is_refused(wanted: str) -> None:
    with pytest.raises(SettingsError):
        check_tag_filter(wanted, "--tag")


def test_tags_read_as_they_are_written() -> None:
    assert tags_in_words({"release": "4.2", "keep": ""}) == "keep, release=4.2"


class TestRetentionByTag:
    def test_a_tag_without_rules_keeps_all_that_have_it(self) -> None:
        line = [labelled(each, "release=1" if place in {3, 7} else "") for place, each in enumerate(DAYS[:10])]
        assert kept(line, Retention(last=2, tagged={"release": TaggedRetention()})) == [0, 1, 3, 7]
        assert kept(line, Retention(last=2, tagged={"release=2": TaggedRetention()})) == [0, 1]

    def test_rules_of_a_tag_count_only_those_that_have_it(self) -> None:
        line = [labelled(each, "release=1" if place % 2 else "") for place, each in enumerate(DAYS[:10])]
        assert kept(line, Retention(last=1, tagged={"release": TaggedRetention(last=3)})) == [0, 1, 3, 5]

    def test_the_reason_names_the_tag(self) -> None:
        line = [labelled(each, "release=1") for each in DAYS[:3]]
        decided = decide(line, [Retention(last=1, tagged={"release": TaggedRetention(last=2)})], now=NOW)
        assert [each.reasons for each in decided] == [
            ("last 1", "tag release: last 1", "the last complete one"),
            ("tag release: last 2",),
            ("no rule keeps it",),
        ]

    @given(timelines, retentions, st.builds(TaggedRetention, last=numbers, daily=numbers), st.data())
    def test_a_rule_for_a_tag_removes_no_more(
        self, line: list[Summary], policy: Retention, tagged: TaggedRetention, data: st.DataObject
    ) -> None:
        line = [labelled(each, data.draw(st.sampled_from(["", "release=1"]))) for each in line]
        if policy != Retention():
            more = msgspec.structs.replace(policy, tagged={"release": tagged})
            assert set(kept(line, policy)) <= set(kept(line, more))


class TestExpiry:
    def test_it_stays_until_then_and_counts_for_no_rule(self) -> None:
        line = [labelled(DAYS[0], expires=timedelta(days=1)), *DAYS[1:4]]
        assert kept(line, Retention(daily=2)) == [0, 1, 2]

    def test_then_it_goes_whatever_the_rules_say(self) -> None:
        line = [DAYS[0], labelled(DAYS[1], "release=1", timedelta(hours=2)), *DAYS[2:4]]
        decided = decide(line, [Retention(daily=9, tagged={"release": TaggedRetention()})], now=NOW)
        assert [each.keep for each in decided] == [True, False, True, True]
        assert decided[1].reasons == ("it expired at 2026-11-19 04:30Z",)

    def test_without_a_policy_it_goes_too(self) -> None:
        line = [DAYS[0], labelled(DAYS[1], expires=timedelta(hours=2))]
        assert kept(line) == [0]
        assert kept(line, Retention()) == [0]

    def test_the_last_complete_one_does_not_expire(self) -> None:
        line = [labelled(each, expires=timedelta(hours=1)) for each in DAYS[1:4]]
        decided = decide(line, [Retention(last=3)], now=NOW)
        assert decided[0].reasons == ("the last complete one",)
        assert [each.keep for each in decided] == [True, False, False]

    def test_an_older_one_that_does_not_expire_is_the_last_complete_one(self) -> None:
        line = [labelled(DAYS[0], expires=timedelta(seconds=30)), DAYS[1]]
        assert kept(line, Retention(last=1)) == [1]

    def test_pins_and_restores_keep_it(self) -> None:
        line = [DAYS[0], labelled(DAYS[1], expires=timedelta(hours=1)), labelled(DAYS[2], expires=timedelta(hours=1))]
        decided = decide(line, [Retention(last=1)], {DAYS[1].id}, needed={DAYS[2].id: ["a restore needs it"]}, now=NOW)
        assert [each.keep for each in decided] == [True, True, True]

    @given(timelines, retentions, st.data())
    def test_expiring_ones_change_nothing_for_the_others(
        self, line: list[Summary], policy: Retention, data: st.DataObject
    ) -> None:
        expiring = {each.id for each in line if data.draw(st.booleans())}
        mixed = [labelled(each, expires=timedelta(days=9)) if each.id in expiring else each for each in line]
        others = [each for each in line if each.id not in expiring]
        stay = {each.snapshot.id for each in decide(mixed, [policy], now=NOW) if each.keep}
        alone = {each.snapshot.id for each in decide(others, [policy], now=NOW) if each.keep}
        newest = max((each for each in line if each.state != "damaged"), key=lambda each: each.created, default=None)
        complete = {each.id for each in others if each.state == "complete"}
        assert stay & complete == alone & complete
        assert newest is None or newest.id in stay or newest.id in expiring

    @given(timelines, retentions, st.data())
    def test_one_complete_stays(self, line: list[Summary], policy: Retention, data: st.DataObject) -> None:
        line = [
            labelled(each, expires=timedelta(hours=data.draw(st.integers(1, 999))))
            if data.draw(st.booleans())
            else each
            for each in line
        ]
        stays = [each.snapshot.state for each in decide(line, [policy], now=NOW) if each.keep]
        assert "complete" in stays or all(each.state != "complete" for each in line)
