"""One Chromium for all tests of a worker. Without it they are not run, and say so."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.chromium import FLAGS, find_chromium

AXE = Path(__file__).parents[2] / ".tools" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
_EXPECTED = "Failed to load resource: the server responded with a status of 4"

type OpenPage = Callable[..., AbstractAsyncContextManager[Page]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    if path is None or not AXE.exists():
        pytest.skip("NOT RUN: there is no Chromium, or no axe-core; `make browser` sets both up")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        await opened.close()


@pytest.fixture
def open_page(browser: Browser) -> OpenPage:
    """Return what opens a page; at its end nothing may have gone wrong in it, and nothing come from elsewhere."""

    @asynccontextmanager
    async def opened(url: str, *, width: int = 1280, height: int = 900, **options: Any) -> AsyncIterator[Page]:
        context = await browser.new_context(viewport={"width": width, "height": height}, **options)
        page = await context.new_page()
        wrong: list[str] = []
        asked: list[str] = []
        page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(url)
        origin = page.url.rpartition("/")[0] if page.url.count("/") == 3 else "/".join(page.url.split("/")[:3])
        yield page
        assert [words for words in wrong if not words.startswith(_EXPECTED)] == []
        assert [address for address in asked if not address.startswith(f"{origin}/")] == []
        await context.close()

    return opened


async def violations(page: Page) -> list[str]:
    """Return what axe finds wrong, one line for each kind, with the first elements."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = json.loads(await page.evaluate("axe.run().then(found => JSON.stringify(found.violations))"))
    return [
        f"{page.url}: {each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        f" {each['nodes'][0]['failureSummary']}"
        for each in found
    ]
