"""Every page in Chromium: accessible in light and dark, on a phone, and without anything hostile taking effect."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser import scenes
from tests.browser.conftest import OpenPage, violations
from tests.browser.stage import Stage, open_stage
from tests.world import EAST

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
INDEX = f"page/indexes/{EAST}/hotels"
SNAPSHOT = f"page/snapshots/{EAST}/hotels/latest"
PAGES = ("", INDEX, SNAPSHOT, f"{SNAPSHOT}/restore", "page/runs", "page/nowhere")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        await scenes.broken(stage)
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[Stage, str]]:
    async with open_stage() as stage:
        record = await scenes.running(stage)
        yield stage, f"page/runs/{record.run}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paired() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        await scenes.paired(stage)
        yield stage


async def fits(page: Page) -> bool:
    """Return whether nothing has to be scrolled sideways."""
    wide: bool = await page.evaluate("document.scrollingElement.scrollWidth <= document.documentElement.clientWidth")
    return wide


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_nothing(
    broken: Stage, running: tuple[Stage, str], open_page: OpenPage, scheme: Literal["light", "dark"]
) -> None:
    found = []
    stage, run = running
    for place, paths in ((broken, PAGES), (stage, ("", run))):
        async with open_page(place.url, color_scheme=scheme) as page:
            for path in paths:
                await page.goto(place.address(path))
                found += await violations(page)
            if place is broken:
                await page.goto(place.address(f"{SNAPSHOT}/restore"))
                await page.get_by_role("button", name="Check").click()
                await page.get_by_role("heading", name="Preflight").wait_for()
                found += await violations(page)
    assert found == []


@pytest.mark.parametrize("width", [360, 1920])
async def test_nothing_is_scrolled_sideways(
    broken: Stage, running: tuple[Stage, str], open_page: OpenPage, width: int
) -> None:
    stage, run = running
    for place, paths in ((broken, PAGES), (stage, ("", run))):
        async with open_page(place.url, width=width) as page:
            for path in paths:
                await page.goto(place.address(path))
                assert await fits(page), path
            if width == 360:
                assert await violations(page) == []


async def test_colours_are_words_too(broken: Stage, open_page: OpenPage) -> None:
    async with open_page(broken.url) as page:
        await page.get_by_text("Of 6 indexes, 6 failing").wait_for()
        row = page.get_by_role("row", name="hotels")
        assert "failing" in await row.inner_text()
        assert "(6 failing)" in await page.title()
        assert await page.get_by_role("img", name="Documents in the last").count() > 3


async def test_what_an_index_can_hold_is_text(open_page: OpenPage) -> None:
    async with open_stage() as stage:
        made = await scenes.hostile(stage)
        for script in (True, False):
            async with open_page(stage.url, java_script_enabled=script) as page:
                for path in ("", INDEX, f"page/snapshots/{EAST}/hotels/{made}", "page/runs", "page/runs/<script>"):
                    await page.goto(stage.address(path))
                    html = await page.content()
                    assert "owned" not in await page.title()
                    assert "<script>document" not in html
                    assert "\u202e" not in html
                    assert "\u2066" not in html
                    assert await page.locator("img, iframe, [onmouseover], [onerror], [style]").count() == 0
                    assert await page.locator("script").count() == 1
                await page.goto(stage.address(f"page/snapshots/{EAST}/hotels/{made}"))
                assert scenes.HOSTILE[0] in await page.locator("main").inner_text()
                assert await fits(page)
                if script:
                    assert await violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [360, 1280])
async def test_pairs_are_shown_with_what_is_wrong(
    paired: Stage, open_page: OpenPage, scheme: Literal["light", "dark"], width: int
) -> None:
    async with open_page(paired.url, color_scheme=scheme, width=width) as page:
        await page.get_by_text("The indexes are well, but 2 of 2 pairs are failing").wait_for()
        pairs = page.get_by_role("table", name="Services that take over from each other")
        assert await pairs.get_by_role("row").count() == 3
        standby = page.get_by_role("table", name="Pair contoso: contoso-west following contoso-east")
        row = standby.get_by_role("row", name="hotels")
        assert "is 2 days 7 hours old, and 8 hours is the recovery point" in await row.inner_text()
        mirror = page.get_by_role("table", name="Pair mirror: contoso-west beside contoso-east")
        assert "37 changed, 5 missing, 3 extra" in await mirror.get_by_role("row", name="hotels").inner_text()
        assert await violations(page) == []
        assert await fits(page)
