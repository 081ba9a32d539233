import pytest

from emulator.versions import PREVIEW, STABLE
from tests.emulator.calls import Caller


@pytest.mark.parametrize("version", [*STABLE, *PREVIEW, "2021-04-30-Preview"])
async def test_a_version_is_served(east: Caller, version: str) -> None:
    assert (await east.call("GET", "/indexes", version=version)).body == {"value": []}


@pytest.mark.parametrize("version", [None, "2026-04-02", "2015-02-28", "latest", "2026-08-01"])
async def test_another_version_is_refused(east: Caller, version: str | None) -> None:
    answer = await east.call("GET", "/indexes", version=version)
    assert answer.status == 400
    assert "api-version" in answer.message


@pytest.mark.parametrize("kind", ["aliases", "knowledgesources", "knowledgebases"])
async def test_a_kind_comes_with_its_version(east: Caller, kind: str) -> None:
    assert (await east.call("GET", f"/{kind}", version="2025-09-01")).status == 400
    assert (await east.call("GET", f"/{kind}", version="2025-11-01-preview")).status == 200
