import pytest

from indexvault.errors import NotFoundError, SettingsError
from indexvault.restore.selection import MOST_KEYS, Selection
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from tests.memory_store import MemoryStore


def chunk(first: str, last: str) -> Chunk:
    return Chunk(sha256="0" * 64, first=first, last=last, documents=1, bytes=1, stored=1)


CHUNKS = [chunk("a", "c"), chunk("d", "f"), chunk("k", "m")]


@pytest.mark.parametrize(
    ("keys", "positions"), [(["b"], [0]), (["c", "d"], [0, 1]), (["g", "z", "0"], []), (["l", "a", "m"], [0, 2])]
)
async def test_only_chunks_that_can_hold_a_key_are_read(keys: list[str], positions: list[int]) -> None:
    assert Selection(keys).chunks(CHUNKS) == [CHUNKS[position] for position in positions]
    reader = TreeReader(MemoryStore().snapshots, PackFolder(service="contoso-east", index="hotels"))
    assert await Selection(keys).positions(reader, Tree(chunks=tuple(CHUNKS))) == positions


def test_a_filter_has_to_look_everywhere() -> None:
    assert Selection(filter="a").chunks(CHUNKS) == CHUNKS


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ("n > `3`", True),
        ("n > `9`", False),
        ("n", True),
        ("zero", True),
        ("contains(tags, 'pool')", True),
        ("rooms[?rate < `50`]", False),
        ("missing", False),
        ("closed", False),
    ],
)
def test_a_filter_picks_documents(expression: str, taken: bool) -> None:  # noqa: FBT001 - a parameter of the test
    line = b'{"id":"1","n":4,"zero":0,"tags":["pool"],"rooms":[{"rate":80}],"closed":false}'
    assert Selection(filter=expression).takes("1", line) is taken


def test_an_expression_that_can_not_be_read_or_applied_is_told_without_the_document() -> None:
    with pytest.raises(SettingsError, match="JMESPath"):
        Selection(filter="n >")
    with pytest.raises(SettingsError) as raised:
        Selection(filter="contains(n, 'x')").takes("1", b'{"n":4711}')
    assert "4711" not in str(raised.value)


@pytest.mark.parametrize(
    "expression", ["(" * 2000, "!" * 2000, "a[?" * 500, "a[::0]", "ceil(`1e999`)", "max_by([`1`,'a'],&@)", "\x00"]
)
def test_whatever_is_wrong_with_an_expression_is_told(expression: str) -> None:
    with pytest.raises(SettingsError, match="JMESPath"):
        Selection(filter=expression).takes("1", b'{"a":[1]}')


def test_keys_that_the_snapshot_lacks_are_named() -> None:
    with pytest.raises(NotFoundError, match="'b'"):
        Selection(["a", "b"]).require_all({"a"}, on="x")


def test_a_list_of_keys_has_an_end() -> None:
    with pytest.raises(SettingsError):
        Selection([str(number) for number in range(MOST_KEYS + 1)])
