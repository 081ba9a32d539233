"""Which page answers which address, and pages for what fails, without a browser."""

from typing import Any, cast

import pytest

from indexvault.pages.assets import SCRIPT, STYLE
from indexvault.pages.request import SECURITY_HEADERS, Links, PageRequest, PageResponse
from indexvault.pages.site import answer, asset
from indexvault.pages.tokens import Tokens
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.record_keys import RecordKeys
from indexvault.status.watch import Watch
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, World, open_world


class Host:
    def __init__(self, world: World) -> None:
        self.resources = world.resources
        self.environment: dict[str, str] = {}


async def get(world: World, *path: str, method: str = "GET", **query: str) -> PageResponse:
    return await answer(
        PageRequest(
            method=method,
            path=path,
            query=query,
            headers={},
            body=b"",
            links=Links("/api", "the-key"),
            host=Host(world),
            engine=cast("Any", None),
            watch=Watch(),
            tokens=Tokens(RecordKeys(["secret"]), "me"),
        )
    )


async def test_each_page_keeps_the_key_from_others() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        made = await world.back_up("hotels")
        for path in (
            (),
            ("runs",),
            ("indexes", EAST, "hotels"),
            ("snapshots", EAST, "hotels", made.snapshot),
            ("snapshots", EAST, "hotels", made.snapshot, "restore"),
            ("nowhere",),
        ):
            found = await get(world, *path)
            assert found.status == (404 if path == ("nowhere",) else 200), found.body
            assert found.headers.items() >= SECURITY_HEADERS.items()
            assert found.headers["Referrer-Policy"] == "strict-origin"
            policy = found.headers["Content-Security-Policy"]
            assert "'unsafe" not in policy
            text = found.body.decode()
            assert text.count("<script ") == 1
            assert f'nonce="{policy.partition("nonce-")[2].partition(chr(39))[0]}"' in text
            assert "the-key" not in text.partition("<body")[0]
        one, other = [(await get(world)).headers["Content-Security-Policy"] for _ in range(2)]
        assert one != other


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (("indexes", EAST, "nothing"), 404),
        (("indexes", "nowhere", "hotels"), 404),
        (("indexes", EAST, "<script>"), 404),
        (("indexes", EAST), 404),
        (("snapshots", EAST, "hotels", "latest"), 404),
        (("snapshots", EAST, "hotels", "%00"), 404),
        (("snapshots", EAST, "..", "latest"), 404),
        (("snapshots", EAST, "$service", "latest", "restore"), 404),
        (("runs", "20261120T023000Z-backup-7f3a9c"), 404),
        (("runs", "../../etc"), 404),
        (("runs", "x" * 5000), 404),
    ],
)
async def test_what_is_not_there_is_a_page(path: tuple[str, ...], status: int) -> None:
    async with open_world(MemoryStore("local")) as world:
        found = await get(world, *path)
    assert found.status == status, found.body
    assert found.media_type == "text/html; charset=utf-8"
    assert b"Back to the status" in found.body
    assert b"<script>" not in found.body


async def test_damage_is_a_page_with_what_to_do() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        made = await world.back_up("hotels")
        name = manifest_name(EAST, "hotels", made.snapshot)
        await world.store.snapshots.delete(name)
        await world.store.snapshots.create(name, b"<script>not a manifest</script>")
        shown = await get(world, "snapshots", EAST, "hotels", made.snapshot)
        index = await get(world, "indexes", EAST, "hotels")
    assert shown.status == 500
    assert b"its checksum does not match its bytes" in shown.body
    assert b"<code>indexvault repair contoso-east/hotels</code>" in shown.body
    assert index.status == 200
    assert b"damaged" in index.body


async def test_a_snapshot_says_how_to_compare_it_with_the_one_before() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        first, second = [(await world.back_up("hotels")).snapshot for _ in range(2)]
        shown = await get(world, "snapshots", EAST, "hotels", second)
    assert f"<code>indexvault diff {EAST}/hotels@{first} {EAST}/hotels@{second}</code>".encode() in shown.body


async def test_forms_are_for_post_only_and_only_where_there_is_one() -> None:
    async with open_world(MemoryStore("local")) as world:
        assert (await get(world, method="POST")).status == 409
        assert (await get(world, "runs", "20261120T023000Z-backup-7f3a9c", "cancel")).status == 404


def test_assets_are_kept_by_browsers_and_nothing_else_is_there() -> None:
    for each in (SCRIPT, STYLE):
        found = asset(each.name)
        assert (found.status, found.body) == (200, each.data)
        assert "immutable" in found.headers["Cache-Control"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert asset("../html.py").status == 404
