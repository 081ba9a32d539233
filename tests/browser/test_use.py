"""The page as it is used: with the keyboard alone, without JavaScript, while a run is at work, and from elsewhere."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
import pytest_asyncio

from tests.browser import scenes
from tests.browser.conftest import OpenPage
from tests.browser.stage import Stage, open_stage
from tests.world import EAST

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
RESTORE = f"page/snapshots/{EAST}/hotels/latest/restore"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as opened:
        await scenes.healthy(opened, nights=2, names=("guests", "hotels"))
        yield opened


async def test_without_javascript_a_snapshot_is_found_and_restored(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.url, java_script_enabled=False) as page:
        await page.get_by_label("Find an index").fill("hot")
        await page.get_by_role("button", name="Show").click()
        assert await page.get_by_role("link", name="guests").count() == 0
        await page.get_by_role("link", name="hotels").click()
        await page.get_by_role("table").get_by_role("link").first.click()
        await page.get_by_role("link", name="Restore this snapshot").click()
        await page.get_by_label("Target index").fill("Not A Name")
        await page.get_by_role("button", name="Check").click()
        assert "this can't be such a name" in await page.get_by_role("alert").inner_text()
        assert await page.get_by_label("Target index").input_value() == "Not A Name"
        await page.get_by_label("Target index").fill("hotels")
        await page.get_by_role("button", name="Check").click()
        assert "would not begin" in await page.locator("#preflight").inner_text()
        assert await page.get_by_role("button", name="Restore to").count() == 0
        await page.get_by_label("Target index").fill("hotels-by-form")
        await page.get_by_role("button", name="Check").click()
        assert "hotels-by-form" not in await stage.world.east.index_names()
        await page.get_by_role("button", name="Restore to contoso-east/hotels-by-form now").click()
        for _ in range(100):
            if "done" in await page.locator("#state").inner_text():
                break
            await page.reload()
        assert "done" in await page.locator("#state").inner_text()
    assert "hotels-by-form" in await stage.world.east.index_names()


async def test_with_the_keyboard_alone(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.url) as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "content"
        seen: list[str] = []
        for _ in range(30):
            await page.keyboard.press("Tab")
            seen.append(await page.evaluate("document.activeElement.textContent"))
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", seen
            if seen[-1] == "hotels":
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/page/indexes/{EAST}/hotels")
        await page.goto(stage.address(RESTORE))
        await page.get_by_label("Target index").focus()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("hotels-by-key")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Preflight").wait_for()
        confirm = page.get_by_role("button", name="Restore to contoso-east/hotels-by-key now")
        await confirm.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/page/runs/*")
        await page.locator("#state").get_by_text("done", exact=True).wait_for()


async def test_a_run_is_followed_while_it_is_looked_at_and_can_be_cancelled(open_page: OpenPage) -> None:
    async with open_stage() as stage:
        record = await scenes.running(stage, nights=1)
        async with open_page(stage.url) as page:
            await page.goto(stage.address(f"page/runs/{record.run}"))
            await page.get_by_text("61,420 of 240,000").wait_for()
            began = stage.clock.now - timedelta(minutes=6)
            await stage.progress(f"{record.run}-0", documents=70_000, expected=240_000, began=began)
            await page.get_by_text("70,000 of 240,000").wait_for(timeout=30_000)
            await page.get_by_text("Cancel this run").click()
            await page.get_by_role("button", name="Cancel it now").click()
            await page.locator("#state").get_by_text("cancelled", exact=True).wait_for()
            assert await page.locator("#cancel").count() == 0


async def test_a_page_that_can_not_be_read_again_says_so(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.url) as page:
        await page.route("**/*", lambda route: route.fulfill(status=200, content_type="application/json", body="{}"))
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await page.get_by_text("could not be read again").wait_for()
        await page.unroute("**/*")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await page.wait_for_function("document.getElementById('refreshed').textContent === ''")


async def test_nobody_else_gets_in(stage: Stage, open_page: OpenPage) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(stage.address("")) as answer:
            assert answer.status == 403
            assert "lacks the token" in await answer.text()
        async with session.get(f"{stage.address('')}?token=guessed") as answer:
            assert answer.status == 403
        async with session.get(stage.url, headers={"Host": "rebound.example"}, allow_redirects=False) as answer:
            assert answer.status == 421
            assert "Set-Cookie" not in answer.headers
    # A page of another origin that this browser, which has the cookie, also looks at.
    form = {"target_service": EAST, "target_index": "stolen", "step": "check"}
    async with open_page(stage.url) as page:
        cookies = await page.context.cookies()
    cookie = "; ".join(f"{each['name']}={each['value']}" for each in cookies)
    async with aiohttp.ClientSession(headers={"Cookie": cookie}) as session:
        for headers in (
            {},
            {"Origin": "https://elsewhere.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site", "Origin": stage.site.url.rstrip("/")},
        ):
            async with session.post(stage.address(RESTORE), data=form, headers=headers) as answer:
                assert answer.status == 409, headers
                assert "not sent by a page of this app" in await answer.text()
        ours = {"Sec-Fetch-Site": "same-origin"}
        confirm = form | {"step": "restore", "token": "1.00000000-" + "0" * 64}
        async with session.post(stage.address(RESTORE), data=confirm, headers=ours) as answer:
            assert answer.status == 409
            assert "has expired" in await answer.text()
    assert "stolen" not in await stage.world.east.index_names()
