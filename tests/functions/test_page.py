"""The status page as the Functions app serves it: keys, assets, and a restore through its forms."""

import re
from html import unescape
from urllib.parse import urlsplit

from tests.functions.app import EAST, Answer, App, Ground, hotels


async def test_the_page_takes_the_key_carries_it_on_and_restores(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(7))
    made = await app.back_up("hotels")
    snapshot = made["indexes"][0]["snapshot"]
    refused = await app.ask("GET", "/api/", key="")
    assert (refused.status, refused.text) == (401, "")

    shown = await app.ask("GET", "/api/")
    assert shown.status == 200
    assert shown.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Cache-Control"] == "no-store"
    assert "hotels" in shown.text
    assert "code=" not in shown.text
    style = re.findall(r'href="(/api/page/assets/[^"]+)"', shown.text)[0]
    asset = await app.ask("GET", style, key="")
    assert (asset.status, asset.headers["Content-Type"].partition(";")[0]) == (200, "text/css")

    # As a browser does that was given the key in the address. What it is answered holds the key, and is not kept.
    code = f"?code={app.function_key}"
    async with app.session.get(f"{app.url}/api/{code}") as answer:
        page = await answer.text()
    pages = re.findall(r'<a [^>]*href="(/api/[^"]*)"', page)
    assert pages
    assert all(unescape(each).count(code) == 1 for each in pages)

    address = f"/api/page/snapshots/{EAST}/hotels/{snapshot}/restore"
    asked = {"step": "check", "target_service": EAST, "target_index": "hotels-again", "mode": "create"}
    elsewhere = await app.ask("POST", address, data=asked)
    assert elsewhere.status == 409
    checked = await _send(app, address, asked)
    assert checked.status == 200, checked.text
    assert "ready" in checked.text
    form = checked.text.partition('name="step" value="restore"')
    before = form[0].rpartition("<form")[2] + form[1] + form[2].partition("</form>")[0]
    members = {name: unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', before)}
    changed = await _send(app, address, {**members, "target_index": "hotels-elsewhere"})
    assert changed.status == 409
    started = await _send(app, address, members)
    assert started.status == 303, started.text
    run = urlsplit(started.headers["Location"]).path.rpartition("/")[2]
    assert (await app.end_of(run))["state"] == "done"
    shown = await app.ask("GET", f"/api/page/runs/{run}")
    assert shown.status == 200
    assert "done" in shown.text
    gone = await app.ask("GET", "/api/page/runs/20261120T023000Z-backup-7f3a9c")
    assert gone.status == 404
    assert "no such run" in gone.text


async def _send(app: App, address: str, form: dict[str, str]) -> Answer:
    headers = {"x-functions-key": app.function_key, "Sec-Fetch-Site": "same-origin"}
    async with app.session.post(f"{app.url}{address}", data=form, headers=headers, allow_redirects=False) as answer:
        return Answer(answer.status, dict(answer.headers), await answer.text())
