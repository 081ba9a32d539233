from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import SettingsError
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    PackFolder,
    PackName,
    SnapshotReference,
    id_time,
    index_prefix,
    is_snapshot_id,
    manifest_name,
    parse_manifest_name,
    parse_pack_name,
    parse_segment,
    repair_advice,
    service_prefix,
    snapshot_id,
)
from indexvault.snapshots.run_names import checkpoint_name, lock_name, pin_name, tombstone_name

ID = "20261120T023000Z-7f3a9c"
SHA = "ab" * 32

times = st.datetimes(min_value=datetime.fromisoformat("1000-01-01"), timezones=st.just(UTC))
names = st.text(min_size=1, max_size=30).filter(lambda name: name.isprintable())


class TestBlobNames:
    def test_are_as_the_format_says(self) -> None:
        assert manifest_name("contoso-east", "hotels", ID) == f"contoso-east/hotels/manifests/{ID}.json"
        assert manifest_name("contoso-east", SERVICE_OBJECTS, ID) == f"contoso-east/$service/manifests/{ID}.json"
        folder, second = PackFolder("contoso-east", "hotels"), PackFolder("contoso-east", "hotels", "2")
        assert folder.pack("ab") == "contoso-east/hotels/packs/ab.jsonl.gz"
        assert folder.segments("ab") == "contoso-east/hotels/segments/ab.jsonl.gz"
        assert folder.locations("ab") == "contoso-east/hotels/locations/ab.jsonl.gz"
        assert second.pack("ab") == "contoso-east/hotels/packs/2/ab.jsonl.gz"
        assert lock_name("contoso-east", "hotels") == "locks/contoso-east/hotels.json"
        assert checkpoint_name("run-1", "range-7") == "runs/run-1/range-7.json"
        assert pin_name("contoso-east", "hotels", ID) == f"pins/contoso-east/hotels/{ID}.json"
        assert tombstone_name("contoso-east", "hotels", ID) == f"tombstones/contoso-east/hotels/{ID}.json"

    def test_no_index_lies_in_another(self) -> None:
        assert not index_prefix("east", "hotels-2").startswith(index_prefix("east", "hotels"))
        assert not service_prefix("east-2").startswith(service_prefix("east"))

    @pytest.mark.parametrize("hostile", ["../west", "a/b", "a.b", "..", "é", "$service2", "a%2Fb", "=41", "a b", "\0"])
    def test_hostile_names_stay_in_their_folder(self, hostile: str) -> None:
        folder = index_prefix(hostile, hostile)
        assert folder.count("/") == 2
        assert set(folder) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=/")

    @given(names)
    def test_a_name_is_read_back_from_its_folder(self, name: str) -> None:
        assert parse_segment(service_prefix(name).removesuffix("/")) == name

    @given(names, names)
    def test_different_names_have_different_folders(self, one: str, other: str) -> None:
        assert (service_prefix(one) == service_prefix(other)) == (one == other)

    @pytest.mark.parametrize("foreign", ["", "a.b", "=4", "=41", "=ZZ", "=C3", "=c3=b6", "a b", "$web"])
    def test_a_foreign_folder_is_no_name(self, foreign: str) -> None:
        assert parse_segment(foreign) is None

    def test_an_empty_name_is_refused(self) -> None:
        with pytest.raises(SettingsError):
            index_prefix("", "hotels")

    @given(names, names)
    def test_a_manifest_is_read_back_from_its_name(self, service: str, index: str) -> None:
        found = parse_manifest_name(manifest_name(service, index, ID))
        assert found == SnapshotReference(service=service, index=index, id=ID)

    @pytest.mark.parametrize(
        "foreign",
        [
            "east/hotels/manifests/readme.txt",
            f"east/hotels/manifests/{ID}",
            f"east/hotels/manifests/{ID}.json.json",
            f"east/hotels/manifests/{ID}.json/x",
            f"east/hotels/manifests/x/{ID}.json",
            f"east/hotels/packs/{ID}.json",
            f"ea.st/hotels/manifests/{ID}.json",
            f"manifests/{ID}.json",
            "east/hotels/manifests/20261320T023000Z-7f3a9c.json",
        ],
    )
    def test_a_foreign_blob_is_no_manifest(self, foreign: str) -> None:
        assert parse_manifest_name(foreign) is None

    @given(names, names, st.just("") | names, st.sampled_from(["packs", "segments", "locations"]))
    def test_a_pack_is_read_back_from_its_name(self, service: str, index: str, generation: str, kind: str) -> None:
        folder = PackFolder(service, index, generation)
        name = {"packs": folder.pack, "segments": folder.segments, "locations": folder.locations}[kind](SHA)
        assert parse_pack_name(name) == PackName(kind, folder, SHA)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "foreign",
        [
            "east/hotels/packs/readme.txt",
            f"east/hotels/packs/{SHA}",
            f"east/hotels/packs/{SHA.upper()}.jsonl.gz",
            f"east/hotels/packs/{SHA}.jsonl.gz/x",
            f"east/hotels/packs/a/b/{SHA}.jsonl.gz",
            f"east/hotels/chunks/{SHA}.jsonl.gz",
            f"ea.st/hotels/packs/{SHA}.jsonl.gz",
            f"/hotels/packs/{SHA}.jsonl.gz",
        ],
    )
    def test_a_foreign_blob_is_no_pack(self, foreign: str) -> None:
        assert parse_pack_name(foreign) is None


def test_the_advice_on_a_damaged_blob_names_its_index() -> None:
    for blob in (manifest_name("east", "hotels", ID), PackFolder("east", "hotels", "2").pack("ab")):
        assert "`indexvault repair east/hotels`" in repair_advice(blob)
    assert "`indexvault repair SERVICE/INDEX`" in repair_advice("ab.jsonl.gz")


class TestSnapshotIds:
    def test_are_made_of_time_and_chance(self) -> None:
        assert snapshot_id(datetime(2026, 11, 20, 2, 30, tzinfo=UTC), bytes.fromhex("7f3a9cff")) == ID

    def test_are_in_utc(self) -> None:
        there = datetime(2026, 11, 20, 4, 30, 0, 999999, tzinfo=timezone(timedelta(hours=2)))
        assert snapshot_id(there, bytes.fromhex("7f3a9c")) == ID

    @given(times, st.binary(min_size=3))
    def test_carry_their_time(self, now: datetime, entropy: bytes) -> None:
        made = snapshot_id(now, entropy)
        assert is_snapshot_id(made)
        assert id_time(made) == now.replace(microsecond=0)

    @given(times, times)
    def test_sort_by_time(self, one: datetime, other: datetime) -> None:
        earlier, later = sorted(time.replace(microsecond=0) for time in (one, other))
        if earlier != later:
            assert snapshot_id(earlier, b"\xff\xff\xff") < snapshot_id(later, b"\0\0\0")

    def test_need_an_aware_time_and_enough_chance(self) -> None:
        with pytest.raises(SettingsError):
            snapshot_id(datetime(2026, 11, 20), b"abc")  # noqa: DTZ001  # the naive time is what is refused
        with pytest.raises(SettingsError):
            snapshot_id(datetime(2026, 11, 20, tzinfo=UTC), b"ab")


class TestReferences:
    def test_latest(self) -> None:
        assert SnapshotReference.parse("east/hotels@latest") == SnapshotReference(service="east", index="hotels")

    def test_an_id(self) -> None:
        found = SnapshotReference.parse(f"east/hotels@{ID}")
        assert found == SnapshotReference(service="east", index="hotels", id=ID)

    def test_the_objects_of_a_service(self) -> None:
        assert SnapshotReference.parse("east/$service@latest").index == SERVICE_OBJECTS

    @pytest.mark.parametrize(
        ("written", "last_moment"),
        [
            ("2026-11-20", "2026-11-20T23:59:59.999999+00:00"),
            ("20261120", "2026-11-20T23:59:59.999999+00:00"),
            ("9999-12-31", "9999-12-31T23:59:59.999999+00:00"),
            ("2026-11-20T02:30", "2026-11-20T02:30:59.999999+00:00"),
            ("2026-11-20 02:30", "2026-11-20T02:30:59.999999+00:00"),
            ("20261120T0230", "2026-11-20T02:30:59.999999+00:00"),
            ("2026-11-20T02:30Z", "2026-11-20T02:30:59.999999+00:00"),
            ("2026-11-20T02:30:00", "2026-11-20T02:30:00.999999+00:00"),
            ("20261120T023000Z", "2026-11-20T02:30:00.999999+00:00"),
            ("2026-11-20T02:30:00.25Z", "2026-11-20T02:30:00.250000+00:00"),
            ("2026-11-20T02:30+02:00", "2026-11-20T00:30:59.999999+00:00"),
            ("2026-11-20T02:30:00-0530", "2026-11-20T08:00:00.999999+00:00"),
        ],
    )
    def test_a_time_is_the_last_moment_of_what_it_names(self, written: str, last_moment: str) -> None:
        assert SnapshotReference.parse(f"east/hotels@{written}").at == datetime.fromisoformat(last_moment)

    @pytest.mark.parametrize("written", ["7f3a", "7f3a9", "7f3a9c"])
    def test_a_part_of_an_id_is_its_random_part(self, written: str) -> None:
        found = SnapshotReference.parse(f"east/hotels@{written}")
        assert found == SnapshotReference(service="east", index="hotels", short=written)
        assert found.is_by_id
        assert found.names(ID)
        assert not found.names("20261120T023000Z-a7f3a9")

    @pytest.mark.parametrize(
        ("written", "until"),
        [
            ("yesterday", "2026-11-20T23:59:59.999999+00:00"),
            ("-1d", "2026-11-20T14:30:00+00:00"),
            ("-2h", "2026-11-21T12:30:00+00:00"),
            ("-3w", "2026-10-31T14:30:00+00:00"),
            ("-90min", "2026-11-21T13:00:00+00:00"),
            ("-0d", "2026-11-21T14:30:00+00:00"),
            ("-9999w", "1835-04-04T14:30:00+00:00"),
            ("2026-11-20", "2026-11-20T23:59:59.999999+00:00"),
        ],
    )
    def test_a_relative_time_is_counted_back_from_now(self, written: str, until: str) -> None:
        now = datetime(2026, 11, 21, 15, 30, tzinfo=timezone(timedelta(hours=1)))
        assert SnapshotReference.parse(f"east/hotels@{written}").until(now) == datetime.fromisoformat(until)

    def test_the_latest_has_no_time(self) -> None:
        assert SnapshotReference.parse("east/hotels@latest").until(datetime.now(UTC)) is None

    @pytest.mark.parametrize(
        "point", ["latest", ID, "2026-11-20", "2026-11-20T02:30:00.25Z", "7f3a", "yesterday", "-3w"]
    )
    def test_is_read_back_from_its_own_text(self, point: str) -> None:
        reference = SnapshotReference.parse(f"east/hotels@{point}")
        assert SnapshotReference.parse(str(reference)) == reference

    @pytest.mark.parametrize(
        "malformed",
        [
            "",
            "east",
            "east/hotels",
            "east/hotels@",
            "east@latest",
            "/hotels@latest",
            "east/@latest",
            "east/a/b@latest",
            "east/hotels@newest",
            "east/hotels@LATEST",
            "east/hotels@7f3",
            "east/hotels@7f3a9c1",
            "east/hotels@7F3A",
            "east/hotels@-1",
            "east/hotels@-1y",
            "east/hotels@-10000d",
            "east/hotels@1d",
            "east/hotels@-1.5d",
            "east/hotels@today",
            "east/hotels@2026-11",
            "east/hotels@2026-W47-5",
            "east/hotels@2026-13-01",
            "east/hotels@2026-11-20T25:00",
            "east/hotels@2026-11-20T02",
            "east/hotels@2026-11-20T02:30:00+25:00",
            "east/hotels@0001-01-01T00:00+10:00",
            "east/hotels@20261120T023000Z-7F3A9C",
            "east/hotels@20261320T023000Z-7f3a9c",
            "east/hotels@٢٠٢٦-11-20",
            "east/hotels@latest@latest",
            "x" * 129 + "/hotels@latest",
            "east/" + "x" * 129 + "@latest",
        ],
    )
    def test_what_is_none_is_refused(self, malformed: str) -> None:
        with pytest.raises(SettingsError) as caught:
            SnapshotReference.parse(malformed)
        assert caught.value.exit_code == 2
        assert len(str(caught.value)) < 600
