"""Take the screenshots of the documentation: `PYTHONPATH=. .venv/bin/python scripts/screenshots.py docs/images`.

Chromium looks at the status page with some nights of hotels behind it, as the demo has them. A second argument names a
scene of `tests/browser/scenes.py`, to look at every page of it in every form.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests.browser import scenes
from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.stage import open_stage
from tests.world import EAST

FORMS: tuple[tuple[str, Any, int, int], ...] = (
    ("", "light", 1280, 900),
    ("-dark", "dark", 1280, 900),
    ("-phone", "light", 360, 740),
    ("-phone-dark", "dark", 360, 740),
    ("-wall", "light", 1920, 1080),
)
SNAPSHOT = f"page/snapshots/{EAST}/hotels/latest"


async def main(folder: Path, scene: str | None) -> None:
    """Take the one screenshot of the documentation, or all of a scene."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        async with open_stage() as stage:
            made = await getattr(scenes, scene or "healthy")(stage)
            pages = {"": ""} if scene is None else _pages(scene, made)
            for suffix, scheme, width, height in FORMS[:1] if scene is None else FORMS:
                context = await browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
                page = await context.new_page()
                await page.goto(stage.url)
                for name, path in pages.items():
                    await page.goto(stage.address(path))
                    if name == "-preflight":
                        await page.get_by_role("button", name="Check").click()
                    file = "status.png" if scene is None else f"{scene}{name}{suffix}.png"
                    await page.screenshot(path=folder / file, full_page=scene is not None)
                await context.close()
        await browser.close()


def _pages(scene: str, made: Any) -> dict[str, str]:
    if scene == "running":
        return {"": "", "-run": f"page/runs/{made.run}"}
    index = f"page/indexes/{EAST}/hotels"
    return {
        "": "",
        "-index": index,
        "-snapshot": SNAPSHOT,
        "-restore": f"{SNAPSHOT}/restore",
        "-preflight": f"{SNAPSHOT}/restore",
        "-runs": "page/runs",
        "-missing": "page/indexes/contoso-east/nowhere",
    }


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))  # noqa: PLR2004 - the arguments
