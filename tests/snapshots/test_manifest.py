import hashlib
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunks import add_digests
from indexvault.snapshots.manifest import (
    Definition,
    Loss,
    Manifest,
    Presumption,
    State,
    SynonymMap,
    Unsettled,
    UnsettledPart,
    VersionedDefinition,
    open_manifest,
    seal,
    state_of,
)
from indexvault.snapshots.tree import ROOT_ENTRIES, Node, Tree
from tests.snapshots.samples import MORNING, PREVIEW, STABLE, SYNONYMS, cut, documents, manifest_of

BLOB = "contoso-east/hotels/manifests/20261120T023000Z-756e2d.json"


def sample(count: int = 60) -> Manifest:
    sealed = cut(documents(range(count)))
    chunks = tuple(part.chunk.placed("ab" * 32, 1000 * at, 1000) for at, part in enumerate(sealed))
    return manifest_of(Tree(chunks=chunks), add_digests(part.digest for part in sealed))


def presumption() -> Presumption:
    day_before = MORNING - timedelta(days=1)
    full = "20261119T023000Z-7f3a9c"
    return Presumption(
        field="changed", margin=600, since="2026-11-19T02:20:00Z", base=full, proved=full, proved_at=day_before
    )


def resealed(data: bytes, **changes: Any) -> bytes:
    """Change members of a manifest and make its checksum right again."""
    members = json.loads(data) | changes
    del members["checksum"]
    body = json.dumps(members, ensure_ascii=False).encode().removesuffix(b"}")
    return body + b',"checksum":"%s"}' % hashlib.sha256(body).hexdigest().encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
raw_json = st.builds(
    lambda value, indent: json.dumps(value, indent=indent).encode(), json_values, st.sampled_from([None, 0, 2])
) | st.sampled_from([b"1.0", b"1E5", b'"\\u00e9\\/"', b'{"a":1,"a":2}', b"-0.0", b'{"b" :\t1 ,\r\n"a":[ ]}'])
raw_definition = raw_json.map(lambda raw: b'{"name" :"a", "any":' + raw + b" }")


class TestRoundTrip:
    def test_gives_back_what_was_sealed(self) -> None:
        manifest = sample()
        assert open_manifest(seal(manifest), BLOB) == manifest

    def test_an_index_without_documents_has_a_manifest(self) -> None:
        manifest = manifest_of(Tree(), "0" * 64)
        assert open_manifest(seal(manifest), BLOB) == manifest

    def test_definitions_stand_in_it_byte_for_byte(self) -> None:
        data = seal(sample())
        opened = open_manifest(data, BLOB)
        assert STABLE in data
        assert opened.definition.stable.body == msgspec.Raw(STABLE)
        assert opened.definition.preview is not None
        assert opened.definition.preview.body == msgspec.Raw(PREVIEW.encode())
        assert opened.definition.fullest == opened.definition.preview
        assert opened.definition.versions == (opened.definition.stable, opened.definition.preview)
        assert opened.synonym_maps[0].definition.fullest == opened.synonym_maps[0].definition.stable
        assert opened.synonym_maps[0].definition.stable.body == msgspec.Raw(SYNONYMS)

    @given(raw_definition, st.none() | raw_definition, st.lists(raw_definition, max_size=3))
    def test_any_json_of_the_service_is_kept_as_it_was(
        self, stable: bytes, preview: bytes | None, maps: list[bytes]
    ) -> None:
        def definition(body: bytes, other: bytes | None = None) -> Definition:
            return Definition(
                stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(body)),
                preview=None if other is None else VersionedDefinition(api_version="p", body=msgspec.Raw(other)),
            )

        manifest = msgspec.structs.replace(
            manifest_of(Tree(), "0" * 64),
            definition=definition(stable, preview),
            synonym_maps=tuple(SynonymMap(name=str(number), definition=definition(m)) for number, m in enumerate(maps)),
        )
        opened = open_manifest(seal(manifest), BLOB)
        assert opened == manifest
        assert bytes(opened.definition.stable.body) == stable
        assert [bytes(synonyms.definition.stable.body) for synonyms in opened.synonym_maps] == maps

    def test_white_space_around_a_definition_is_not_kept(self) -> None:
        body = VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(b' {"a": 1}\r\n'))
        manifest = msgspec.structs.replace(manifest_of(Tree(), "0" * 64), definition=Definition(stable=body))
        assert bytes(open_manifest(seal(manifest), BLOB).definition.stable.body) == b'{"a": 1}'

    @pytest.mark.parametrize("broken", [b"", b"{", b'{"a":1}}', b"\xef\xbb\xbf{}", b'"\xff"', b'{"a":1},"b":2'])
    def test_what_is_not_json_is_not_sealed(self, broken: bytes) -> None:
        body = VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(broken))
        with pytest.raises(IntegrityError):
            seal(msgspec.structs.replace(manifest_of(Tree(), "0" * 64), definition=Definition(stable=body)))

    def test_times_keep_their_instant(self) -> None:
        manifest = manifest_of(Tree(), "0" * 64, created=MORNING + timedelta(microseconds=123456))
        assert open_manifest(seal(manifest), BLOB).created == MORNING + timedelta(microseconds=123456)

    def test_members_of_a_later_minor_version_are_passed_over(self) -> None:
        data = resealed(seal(sample()), format="indexvault/2.1", colour="blue")
        assert open_manifest(data, BLOB).format == "indexvault/2.1"

    def test_is_small_whatever_the_index(self) -> None:
        nodes = tuple(
            Node("ab" * 32, f"{at:036}", 10**6, 10**7, 10**9, 10**8, "cd" * 32, 8 << 20, 10**4)
            for at in range(ROOT_ENTRIES)
        )
        assert len(seal(manifest_of(Tree(level=3, nodes=nodes), "0" * 64))) < 12_000


class TestDamage:
    def test_every_change_of_one_byte_is_found_and_named(self) -> None:
        data = seal(sample(20))
        for position in range(len(data)):
            for flip in (0x01, 0x20, 0x80, 0xFF):
                changed = bytearray(data)
                changed[position] ^= flip
                with pytest.raises(IntegrityError) as caught:
                    open_manifest(bytes(changed), BLOB)
                assert caught.value.on == BLOB

    def test_every_truncation_is_found(self) -> None:
        data = seal(sample(20))
        for length in range(len(data)):
            with pytest.raises(IntegrityError):
                open_manifest(data[:length], BLOB)

    @pytest.mark.parametrize("more", [b" ", b"\n", b"}"])
    def test_a_byte_more_is_found(self, more: bytes) -> None:
        with pytest.raises(IntegrityError):
            open_manifest(seal(sample()) + more, BLOB)

    @pytest.mark.parametrize(
        "format_name",
        ["indexvault/1", "indexvault/3", "indexvault/20", "indexvault/1.1", "something else", "", "indexvault/2x"],
    )
    def test_another_format_is_refused_by_its_name(self, format_name: str) -> None:
        with pytest.raises(IntegrityError, match="its format is") as caught:
            open_manifest(resealed(seal(sample()), format=format_name), BLOB)
        assert caught.value.on == BLOB

    def test_another_format_is_named_whatever_its_checksum_rule(self) -> None:
        with pytest.raises(IntegrityError, match="indexvault/3"):
            open_manifest(b'{"format":"indexvault/3","digest":"?"}', BLOB)

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"id": "20261120T023001Z-7f3a9c"}, "id"),
            ({"id": "20261320T023000Z-7f3a9c"}, "id"),
            ({"id": "../../x"}, "id"),
            ({"state": "lossy"}, "losses"),
            ({"losses": [{"field": "a", "reason": "b"}]}, "losses"),
            ({"state": "fine"}, "not a manifest"),
            ({"bytes": 1}, "add up"),
            ({"stored": 1}, "add up"),
            ({"counts": {"before": 60, "after": 60, "documents": 59}}, "add up"),
            ({"created": "2026-11-20T02:30:00"}, "not a manifest"),
            ({"content_digest": "abc"}, "not a manifest"),
            ({"tree": None}, "not a manifest"),
            ({"tree": {"level": 9, "chunks": [], "nodes": []}}, "tree"),
            ({"tree": {"level": 1, "chunks": [], "nodes": []}}, "add up"),
        ],
        ids=str,
    )
    def test_contradictions_are_found_behind_a_right_checksum(self, wrong: dict[str, Any], said: str) -> None:
        with pytest.raises(IntegrityError, match=said):
            open_manifest(resealed(seal(sample()), **wrong), BLOB)

    def test_a_presumption_comes_back(self) -> None:
        manifest = msgspec.structs.replace(sample(), state="presumed", presumption=presumption())
        assert open_manifest(seal(manifest), BLOB) == manifest
        lossy = msgspec.structs.replace(manifest, losses=(Loss(field="a", reason="b"),))
        assert open_manifest(seal(lossy), BLOB).state == "presumed"

    @pytest.mark.parametrize(
        ("state", "changes"),
        [
            ("presumed", None),
            ("complete", {}),
            ("presumed", {"proved": "full"}),
            ("presumed", {"base": "../x"}),
            ("presumed", {"proved_at": MORNING - timedelta(days=2)}),
            ("presumed", {"base": "20261121T023000Z-7f3a9c"}),
            ("presumed", {"base": "20261118T023000Z-7f3a9c"}),
        ],
        ids=str,
    )
    def test_a_presumption_agrees_with_the_state_and_names_older_snapshots(
        self, state: State, changes: dict[str, Any] | None
    ) -> None:
        found = None if changes is None else msgspec.structs.replace(presumption(), **changes)
        with pytest.raises(IntegrityError, match=r"changes were read|builds on"):
            seal(msgspec.structs.replace(sample(), state=state, presumption=found))

    def test_an_unsettled_snapshot_may_be_of_a_reading_by_changes(self) -> None:
        left = Unsettled(documents=1, parts=(UnsettledPart(part="a", documents=1),))
        manifest = msgspec.structs.replace(sample(), state="unsettled", unsettled=left, presumption=presumption())
        assert open_manifest(seal(manifest), BLOB) == manifest

    def test_the_state_is_the_worst_that_holds(self) -> None:
        left = Unsettled(documents=1, parts=(UnsettledPart(part="a", documents=1),))
        lost = [Loss(field="a", reason="b")]
        assert state_of(losses=lost, unsettled=left, presumption=presumption()) == "unsettled"
        assert state_of(losses=lost, presumption=presumption()) == "presumed"
        assert (state_of(losses=lost), state_of(losses=[])) == ("lossy", "complete")

    @pytest.mark.parametrize("damage", ["swapped", "repeated", "reversed", "traversal", "unstored", "pack", "level"])
    def test_chunks_must_rise_and_lie_in_packs(self, damage: str) -> None:
        data = seal(sample())
        sha256, pack, stored, first_key, last_key = 0, 5, 7, 1, 2
        chunks = json.loads(data)["tree"]["chunks"]
        first, second = chunks[0], chunks[1]

        def changed_first(at: int, value: Any) -> list[Any]:
            return [*first[:at], value, *first[at + 1 :]]

        changed = {
            "swapped": [second, first],
            "repeated": [first, first],
            "reversed": [changed_first(last_key, "a"), second],
            "traversal": [changed_first(sha256, "../" * 21 + "x"), second],
            "unstored": [changed_first(stored, 0), second],
            "pack": [changed_first(pack, "../x"), second],
            "level": [first, second],
        }[damage]
        assert first[first_key] < first[last_key]
        totals = {
            name: sum(chunk[at] for chunk in changed) for name, at in (("documents", 3), ("bytes", 4), ("stored", 7))
        }
        counts = {"before": None, "after": None, "documents": totals.pop("documents")}
        tree = {"level": int(damage == "level"), "chunks": changed, "nodes": []}
        with pytest.raises(IntegrityError):
            open_manifest(resealed(data, tree=tree, counts=counts, **totals), BLOB)

    def test_a_lossy_manifest_is_sealed_with_its_losses(self) -> None:
        loss = Loss(field="rooms/secret", reason="not retrievable")
        manifest = manifest_of(Tree(), "0" * 64, losses=(loss,))
        assert open_manifest(seal(manifest), BLOB).losses == (loss,)
